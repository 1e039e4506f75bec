#include "engine/commit.hpp"

#include "engine/capture.hpp"
#include "engine/cascade.hpp"
#include "engine/rulebook.hpp"
#include "pg/fault.hpp"
#include "pg/hindsight.hpp"
#include "pg/memory.hpp"
#include "pg/process.hpp"
#include "pg/rollback.hpp"

#include <deque>
#include <set>

namespace automation::engine {

namespace {

struct Noted {
	enum class Kind : std::uint8_t { inserted, replaced, moved };

	Kind kind;
	pg::Place place; // of the version that was inserted or replaced, or has come
	pg::Place from;	 // when it has moved
	pg::Oid file;
	std::uint32_t subtransaction;
	int entity;
	int depth;
	std::int64_t cause; // run that changed the row; 0: a person's write
};

// In the order of the changes. Made on first use and never destroyed.
std::deque<Noted> *noted = nullptr;

bool nothing_is_noted()
{
	return !noted || noted->empty();
}

// Commands below this number have been judged.
unsigned int judged_below = 0;

// What has been noted so far, judged as of now: rows that change meanwhile come in the next round.
class Round {
public:
	Round()
	{
		rows_.swap(*noted);
		command_ = judged_below = pg::next_command();
		for (const Noted &row : rows_)
			if (row.kind == Noted::Kind::moved)
				moves_.emplace(row.from, row.place);
			else if (row.kind == Noted::Kind::inserted)
				with_insertions_.insert(row.entity);
	}

	void judge()
	{
		pg::Memory memory("pg_automation row", pg::Memory::Life::statement);
		const pg::InMemory inside(memory);
		for (; !rows_.empty(); rows_.pop_front()) {
			pg::check_interrupts();
			judge(rows_.front());
			memory.reset();
		}
	}

private:
	void judge(const Noted &row)
	{
		const Rulebook book;
		Chapter &chapter = book.chapter(row.entity);
		if (!chapter.type || !chapter.judges_at_commit() || row.kind == Noted::Kind::moved)
			return;
		const std::optional<pg::RowChange> change = net_change(chapter, row);
		if (!change)
			return;
		Cascade::current().go_on(row.cause, row.depth);
		meet_all(chapter, *change, chapter.candidates_at_commit(*change));
	}

	std::optional<pg::RowChange> net_change(Chapter &chapter, const Noted &row)
	{
		const pg::Hindsight hindsight(command_);
		if (!hindsight.reaches(row.place, row.file))
			return tell_of_rewrite(chapter), std::nullopt;
		const bool is_new = row.kind == Noted::Kind::inserted;
		const pg::Image before = is_new ? pg::Image() : hindsight.at(*chapter.type, row.place);
		const pg::Image after = hindsight.last(*chapter.type, row.place, moves_);
		if (!is_new && !after.row && with_insertions_.contains(row.entity))
			return came_back(chapter, before);
		if (is_new && (!after.row || has_come_back(chapter, after)))
			return std::nullopt;
		return change(chapter, before, after);
	}

	static pg::RowChange change(
		const Chapter &chapter, const pg::Image &before, const pg::Image &after)
	{
		const pg::Event event = !before.row ? pg::Event::insert
			: after.row						? pg::Event::update
											: pg::Event::remove;
		TupleTableSlot *none = chapter.type->no_row();
		return pg::RowChange(event, *chapter.type, before.row ? before.row : none,
			after.row ? after.row : none, after.place);
	}

	// A row that was deleted may have been inserted again under its key.
	pg::RowChange came_back(Chapter &chapter, const pg::Image &before)
	{
		pg::RowChange removed = change(chapter, before, {});
		const std::string key = chapter.key_of(removed);
		const std::optional<pg::RowFinder::Row> row = chapter.rows().seen(key);
		if (!row)
			return removed;
		back_.emplace(chapter.entity, key);
		return removed.update_to(row->value, row->place);
	}

	bool has_come_back(Chapter &chapter, const pg::Image &after) const
	{
		return !back_.empty() &&
			back_.contains({chapter.entity, chapter.key_of(change(chapter, {}, after))});
	}

	void tell_of_rewrite(const Chapter &chapter)
	{
		if (rewritten_.insert(chapter.entity).second)
			pg::warn("rules on table \"" + chapter.type->name() +
					"\" that are evaluated at commit have missed changes",
				"The table was truncated or rewritten in the transaction that had changed it.");
	}

	std::deque<Noted> rows_;
	unsigned int command_;
	pg::Moves moves_;
	std::set<int> with_insertions_;
	std::set<std::pair<int, std::string>> back_;
	std::set<int> rewritten_;
};

} // namespace

namespace {

void note(
	const Chapter &chapter, const pg::TriggerCall &call, Noted::Kind kind, const pg::Place &from)
{
	if (!noted)
		noted = new std::deque<Noted>;
	const Cascade &cascade = Cascade::current();
	noted->push_back({kind, call.left(), from, call.file(), pg::subtransaction_number(),
		chapter.entity, cascade.depth(), cascade.cause()});
}

} // namespace

void note_for_commit(const Chapter &chapter, const pg::TriggerCall &call)
{
	if (call.event() == pg::Event::insert)
		note(chapter, call, Noted::Kind::inserted, {});
	else if (call.is_first_since(judged_below))
		note(chapter, call, Noted::Kind::replaced, {});
}

void note_move(const Chapter &chapter, const pg::TriggerCall &call, const pg::Place &from)
{
	note(chapter, call, Noted::Kind::moved, from);
}

void judge_at_commit(bool preparing)
{
	if (nothing_is_noted())
		return;
	pg::fault_point("a transaction is judged at its end");
	const pg::Hindsight present(pg::next_command());
	const Cascade::Root root;
	while (!nothing_is_noted()) {
		Round().judge();
		pg::finish_deferred(preparing);
	}
}

void forget_for_commit(std::uint32_t subtransaction) noexcept
{
	while (!nothing_is_noted() && noted->back().subtransaction >= subtransaction)
		noted->pop_back();
	if (subtransaction == 0)
		judged_below = 0;
}

} // namespace automation::engine
