#include "engine/capture.hpp"

#include "core/failure.hpp"
#include "engine/cascade.hpp"
#include "engine/commit.hpp"
#include "engine/journal.hpp"
#include "engine/ledger.hpp"
#include "engine/rulebook.hpp"
#include "engine/run.hpp"
#include "pg/definitions.hpp"
#include "pg/fault.hpp"
#include "pg/fields.hpp"
#include "pg/gathering.hpp"
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
	pg::Place from;

	bool is_half_of(const pg::TriggerCall &call) const
	{
		return transaction == pg::TriggerCall::transaction() && entity == call.entity() &&
			command == call.command();
	}
};

// Both halves are made by one command, the INSERT right after its DELETE; of a command that runs
// within another, between the two halves of that one. So few wait, however many rows move.
class Departures {
public:
	void add(const pg::TriggerCall &call)
	{
		// One that still waits has been refused by a trigger of the other partition.
		std::erase_if(waiting_, [&](const Departure &old) {
			return old.transaction != pg::TriggerCall::transaction() || old.is_half_of(call);
		});
		waiting_.push_back(
			{pg::TriggerCall::transaction(), call.command(), call.entity(), call.left()});
	}

	std::optional<pg::Place> take(const pg::TriggerCall &call)
	{
		// Whatever comes into the partition that it has left is another row.
		const auto found = std::ranges::find_if(waiting_, [&](const Departure &departure) {
			return departure.is_half_of(call) && departure.from.table != call.relation();
		});
		if (found == waiting_.end())
			return std::nullopt;
		const pg::Place from = found->from;
		waiting_.erase(found);
		return from;
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
		error->log("record of a change");
}

std::string logged(const std::optional<std::string> &value)
{
	return value ? pg::clipped(*value, longest_logged_value) : "null";
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
				logged(change.old_text(column)) + "→" + logged(change.new_text(column));
		}
		if (touch.columns.empty())
			return;
	}
	touch.key = chapter.key_of(change);
	write_touch(touch);
}

// A rule that somebody has changed since this backend read it.
void meet_as_it_is_now(int entity, int id, const pg::RowChange &change)
{
	pg::expire_definitions();
	const Rulebook book;
	Chapter &chapter = book.chapter(entity);
	Rule *rule = chapter.present(id);
	if (rule && rule->hears_of_changes() && rule->listens_to(change.event()))
		meet(chapter, *rule, change, event_name(change.event()));
}

void handle(Chapter &chapter, const pg::RowChange &change)
{
	if (Journal::is_kept())
		let_the_write_live([&] { Journal::note(chapter, change); });
	if (chapter.something_waits && change.event() != pg::Event::insert)
		let_the_write_live([&] { note_touch(chapter, change); });
	meet_all(chapter, change, chapter.candidates(change));
}

} // namespace

void meet_all(Chapter &chapter, const pg::RowChange &change, const std::vector<int> &candidates)
{
	for (const int number : candidates) {
		Rule *rule = chapter.listed(number);
		if (!rule || !rule->hears_of_changes() || rule->was_replaced())
			meet_as_it_is_now(chapter.entity, chapter.listed_id(number), change);
		else if (rule->listens_to(change.event()))
			meet(chapter, *rule, change, event_name(change.event()));
	}
}

void on_row(const pg::TriggerCall &call)
{
	if (!pg::settings::enabled)
		return;
	const Rulebook book;
	Chapter &chapter = book.chapter(call.entity());
	if (chapter.is_empty() && !Journal::is_kept())
		return;
	pg::fault_point("a change is captured");
	const Cascade::Root root;
	const pg::Capturing capturing;
	if (call.moved_away()) {
		if (chapter.judges_at_commit())
			note_for_commit(chapter, call);
		return departures().add(call);
	}
	const pg::RowChange change = call.change(*chapter.type);
	const std::optional<pg::Place> left =
		call.event() == pg::Event::insert ? departures().take(call) : std::nullopt;
	if (chapter.judges_at_commit())
		left ? note_move(chapter, call, *left) : note_for_commit(chapter, call);
	if (!left)
		return handle(chapter, change);
	Cascade::current().note_move(*left, change.place());
	handle(chapter, change.after_leaving(*left));
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
	return run_if_it_applies(*chapter, *rule,
		pg::change_of(*chapter->type, pg::Event::insert, std::nullopt, value), "fired");
}

} // namespace automation::engine
