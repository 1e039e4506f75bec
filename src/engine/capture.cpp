#include "engine/capture.hpp"

#include "core/failure.hpp"
#include "engine/cascade.hpp"
#include "engine/commit.hpp"
#include "engine/ledger.hpp"
#include "engine/rulebook.hpp"
#include "engine/run.hpp"
#include "pg/identity.hpp"
#include "pg/settings.hpp"

#include <algorithm>
#include <vector>

namespace automation::engine {

namespace {

// The DELETE half of a row's way to another partition, until its INSERT half comes.
struct Departure {
	unsigned int transaction;
	unsigned int command;
	int entity;
	pg::Oid leaf;
	HeapTupleData *row;
};

class Departures {
public:
	void add(const pg::TriggerCall &call)
	{
		std::erase_if(waiting_,
			[](const Departure &old) { return old.transaction != pg::TriggerCall::transaction(); });
		waiting_.push_back({pg::TriggerCall::transaction(), call.command(), call.entity(),
			call.relation(), call.copy_old()});
	}

	// Both halves are made by one command, the INSERT right after its DELETE: of several, the last
	// one (a trigger of the other partition may have refused the rows before).
	std::optional<Departure> take(const pg::TriggerCall &call)
	{
		if (waiting_.empty())
			return std::nullopt;
		const unsigned int command = call.command();
		const auto found =
			std::find_if(waiting_.rbegin(), waiting_.rend(), [&](const Departure &departure) {
				return departure.transaction == pg::TriggerCall::transaction() &&
					departure.command == command && departure.entity == call.entity();
			});
		if (found == waiting_.rend())
			return std::nullopt;
		const Departure departure = *found;
		waiting_.erase(std::next(found).base());
		return departure;
	}

private:
	std::vector<Departure> waiting_;
};

// Constructed on first use and never destroyed: a static with a destructor would run at exit.
Departures &departures()
{
	static auto *instance = new Departures;
	return *instance;
}

// What cannot be noted only the server's log tells.
template <typename Note> void let_the_write_live(Note &&note)
{
	if (const std::optional<pg::Error> error = pg::subtransaction(note))
		error->log("record of a change that ends what waits for a row");
}

// What waits for the row may end with this change. Noted before any rule runs: whatever begins with
// this change begins after it.
void note_touch(const Chapter &chapter, const pg::RowChange &change)
{
	Touch touch{chapter.entity, {}, {}, 0, Cascade::current().cause(), "row deleted"};
	if (change.event() == pg::Event::update) {
		const pg::OrdinarySettings settings(pg::OrdinarySettings::Need::all);
		touch.reason.clear();
		for (const auto &[column, name] : chapter.watched) {
			if (!change.changed(column))
				continue;
			touch.columns.push_back(column);
			touch.reason += (touch.reason.empty() ? "field " : ", field ") + name + " changed " +
				change.old_text(column).value_or("null") + "→" +
				change.new_text(column).value_or("null");
		}
		if (touch.columns.empty())
			return;
	}
	touch.key = chapter.key_of(change);
	write_touch(touch);
}

// Candidates by the index, in listed order; each judged on the row as the event left it.
void handle(Chapter &chapter, const pg::RowChange &change)
{
	if (chapter.something_waits && change.event() != pg::Event::insert)
		let_the_write_live([&] { note_touch(chapter, change); });
	for (const int number : chapter.index.candidates(change)) {
		Rule &rule = chapter.rules[static_cast<std::size_t>(number)];
		if (rule.listens_to(change.event()))
			meet(chapter, rule, change);
	}
}

} // namespace

void on_row(const pg::TriggerCall &call)
{
	if (!pg::settings::enabled)
		return;
	const Rulebook book;
	Chapter &chapter = book.chapter(call.entity());
	if (chapter.rules.empty() && !chapter.something_waits)
		return;
	const Cascade::Root root;
	if (call.moved_away()) {
		if (chapter.judges_at_commit)
			note_for_commit(chapter, call);
		return departures().add(call);
	}
	const std::optional<Departure> departure =
		call.event() == pg::Event::insert ? departures().take(call) : std::nullopt;
	if (chapter.judges_at_commit && departure)
		note_move(chapter, call, pg::version_of(departure->row, departure->leaf));
	else if (chapter.judges_at_commit)
		note_for_commit(chapter, call);
	if (departure)
		handle(chapter, call.arrival(*chapter.type, departure->row, departure->leaf));
	else
		handle(chapter, call.change(*chapter.type));
}

// There are no row images: what waits for the rows ends, nothing fires.
void on_truncate(int entity)
{
	const Rulebook book;
	if (pg::settings::enabled && book.chapter(entity).something_waits)
		let_the_write_live([&] { write_touch({entity, "", {}, 0, 0, "table truncated"}); });
}

std::int64_t fire(int id, std::string_view row)
{
	const Rulebook book;
	Chapter *chapter = nullptr;
	Rule *rule = book.rule(id, &chapter);
	if (!rule)
		throw core::Failure("55000", "rule is not active",
			{.hint = "Activate it with automation.activate_rule()."});
	// The type of a column may bring code of its owner with it: a domain's CHECK.
	const pg::Datum value = [&] {
		const pg::ActAs identity(rule->owner, pg::ActAs::Manner::restricted, rule->search_path);
		return pg::row_from_json(identity, chapter->type->type(), row);
	}();
	const Cascade::Root root;
	return run_if_it_applies(
		*chapter, *rule, pg::change_of(*chapter->type, pg::Event::insert, std::nullopt, value));
}

} // namespace automation::engine
