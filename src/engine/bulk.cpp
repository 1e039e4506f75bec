#include "engine/bulk.hpp"

#include "core/json.hpp"
#include "engine/cascade.hpp"
#include "engine/journal.hpp"
#include "engine/ledger.hpp"
#include "engine/run.hpp"
#include "pg/gathering.hpp"
#include "pg/identity.hpp"
#include "pg/process.hpp"
#include "pg/rollback.hpp"
#include "pg/settings.hpp"

#include <map>
#include <vector>

namespace automation::engine {

namespace {

constexpr const char *why = "bulk: more than pg_automation.max_events_per_transaction";

// Each of these is undone with the subtransaction it was made in. Of one transaction, at a time.
class Bulk {
public:
	// Of the present transaction. Made on first use and never destroyed.
	static Bulk &current()
	{
		if (!instance_)
			instance_ = new Bulk;
		if (instance_->transaction_ != pg::TriggerCall::transaction()) {
			*instance_ = Bulk();
			instance_->transaction_ = pg::TriggerCall::transaction();
		}
		return *instance_;
	}

	static void forget(std::uint32_t subtransaction) noexcept
	{
		if (instance_)
			instance_->undo(subtransaction);
	}

	// How many events there are, with this one.
	std::int64_t count()
	{
		const std::uint32_t now = pg::subtransaction_number();
		std::int64_t count = 1;
		// What began later and is over by now has become a part of this one.
		for (; !parts_.empty() && parts_.back().subtransaction >= now; parts_.pop_back())
			count += parts_.back().events;
		parts_.push_back({now, count});
		return ++events_;
	}

	bool is_too_much() const { return crossed_; }

	// The first event of too many.
	void cross()
	{
		static pg::Statement hold_back("SELECT automation._hold_back()");
		if (!has_warned_)
			pg::warn("transaction produced more than " +
					std::to_string(pg::settings::max_events_per_transaction) +
					" automation events, remaining events are held",
				"See automation.pending_batches, and use automation.release_batch() or "
				"automation.discard_batch().");
		has_warned_ = true;
		crossed_ = pg::subtransaction_number();
		pg::insert_all_gathered(); // what has been sent until now is held back, too
		const pg::ActAs identity = pg::ActAs::engine();
		pg::Spi spi;
		begin_batch(hold_back.execute({}).integer(0, 1));
	}

	std::int64_t batch()
	{
		static pg::Statement make("SELECT automation._new_batch()");
		if (!batch_) {
			const pg::ActAs identity = pg::ActAs::engine();
			pg::Spi spi;
			begin_batch(make.execute({}).integer(0, 1));
		}
		return batch_;
	}

	// Whether the log does not yet say that the rule is skipped.
	bool skips_first(int rule)
	{
		return skipped_.emplace(rule, pg::subtransaction_number()).second;
	}

private:
	struct Part {
		std::uint32_t subtransaction;
		std::int64_t events;
	};

	void begin_batch(std::int64_t id)
	{
		batch_ = id;
		begun_ = pg::subtransaction_number();
	}

	void undo(std::uint32_t subtransaction) noexcept
	{
		for (; !parts_.empty() && parts_.back().subtransaction >= subtransaction; parts_.pop_back())
			events_ -= parts_.back().events;
		if (crossed_ >= subtransaction)
			crossed_ = 0;
		if (begun_ >= subtransaction)
			batch_ = 0;
		std::erase_if(
			skipped_, [&](const auto &skipped) { return skipped.second >= subtransaction; });
	}

	static Bulk *instance_;
	unsigned int transaction_ = 0;
	std::int64_t events_ = 0;
	std::vector<Part> parts_; // of subtransactions that are under way, the innermost last
	bool has_warned_ = false;
	std::uint32_t crossed_ = 0; // in which subtransaction; 0: not yet
	std::int64_t batch_ = 0;	// 0: nothing is held yet
	std::uint32_t begun_ = 0;
	std::map<int, std::uint32_t> skipped_;
};

Bulk *Bulk::instance_ = nullptr;

// What the columns were that must have changed: with it, and the row as it will be, the rule is
// asked again.
std::string old_values(const Rule &rule, const pg::RowChange &change)
{
	const pg::OrdinarySettings settings(pg::OrdinarySettings::Need::all);
	std::string text = "{";
	for (const int column : rule.watched()) {
		const std::optional<std::string> value = change.old_text(column);
		text += (text.size() > 1 ? "," : "") +
			core::json_string(change.type().column_name(column)) + ":" +
			(value ? core::json_string(*value) : "null");
	}
	return text + "}";
}

std::optional<std::string> old_image(
	const Chapter &chapter, const Rule &rule, const pg::RowChange &change)
{
	if (change.event() == pg::Event::remove)
		return row_json(chapter, change.old_value());
	if (change.event() == pg::Event::insert || rule.is_standing || rule.watched().empty())
		return std::nullopt;
	return old_values(rule, change);
}

// No savepoint: what can fail here fails for the write, too, and a million of them would be a load
// for everybody else.
void hold(Bulk &bulk, const Chapter &chapter, const Rule &rule, const pg::RowChange &change,
	const char *event)
{
	write_held({bulk.batch(), rule.id, chapter.entity, event, chapter.key_of(change),
		old_image(chapter, rule, change)});
}

} // namespace

bool may_run(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event)
{
	if (pg::settings::max_events_per_transaction == 0 || Cascade::current().is_paced())
		return true;
	Bulk &bulk = Bulk::current();
	if (bulk.count() <= pg::settings::max_events_per_transaction)
		return true;
	if (!bulk.is_too_much())
		bulk.cross();
	switch (rule.on_bulk) {
	case OnBulk::run:
		return true;
	case OnBulk::hold:
		hold(bulk, chapter, rule, change, event);
		break;
	case OnBulk::log_only:
		write_suppressed(chapter, rule, change, event, why);
		break;
	case OnBulk::skip:
		if (bulk.skips_first(rule.id))
			write_suppressed(chapter, rule, change, event,
				std::string(why) + "; it is skipped, as are all that follow");
	}
	return false;
}

void forget_events(std::uint32_t subtransaction) noexcept
{
	Bulk::forget(subtransaction);
}

} // namespace automation::engine
