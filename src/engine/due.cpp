#include "engine/due.hpp"

#include "engine/backfill.hpp"
#include "engine/bulk.hpp"
#include "engine/cascade.hpp"
#include "engine/index.hpp"
#include "engine/performance.hpp"
#include "engine/rulebook.hpp"
#include "pg/identity.hpp"
#include "pg/process.hpp"

#include <chrono>

namespace automation::engine {

namespace {

// Null: the rule, or what it said then, is gone.
Rule *rule_of(const Task &task, Chapter &chapter)
{
	Rule *rule = chapter.find(task.rule, task.version);
	const bool known = rule && static_cast<std::size_t>(task.step) <= rule->steps.size() &&
		(task.step == 0 ? rule->wait : rule->steps[static_cast<std::size_t>(task.step) - 1].wait);
	return known ? rule : nullptr;
}

// Runs body on the rule that planned the task, each task by itself: one that fails leaves a record
// and stops none of the others. False: somebody else has locked what it needs.
template <typename Body> bool deal_with(const Task &task, Body &&body)
{
	bool dealt_with = true;
	const pg::Memory memory("pg_automation step", pg::Memory::Life::statement);
	const pg::InMemory inside(memory);
	const Cascade::Root root(true);
	const Rulebook book;
	const auto error = pg::subtransaction([&] {
		Chapter *chapter = task.source != 0 ? &book.chapter(task.source) : nullptr;
		Rule *rule = chapter ? rule_of(task, *chapter) : nullptr;
		if (!rule)
			return cancel(task, "rule dropped");
		const InHand in_hand(*rule);
		dealt_with = body(Performance{task, *chapter, book.chapter(task.subject), *rule});
	});
	if (!error)
		return dealt_with;
	if (Cascade::current().gives_way_to(*error)) {
		if (!pg::clock_is_set())
			postpone(task);
		return false;
	}
	if (task.step == 0)
		record_failure(task, *error);
	finish(task, {task.step, "", "failed", error->message(), error->sqlstate()});
	return true;
}

} // namespace

void settle(const Task &task)
{
	deal_with(task, [](Performance &&performance) { return performance.settle(), true; });
}

bool perform(const Task &task)
{
	return deal_with(task, [](Performance &&performance) { return performance.perform(); });
}

namespace {

// Until all of it is done the rows behind all of it are locked: not for long.
constexpr std::chrono::milliseconds longest_turn{200};

// What cannot be done now, as somebody else has locked its row, holds up nothing behind it.
int perform_all(int most)
{
	const auto end = std::chrono::steady_clock::now() + longest_turn;
	int done = 0;
	std::vector<Task> tasks = coming_due(most);
	while (!tasks.empty()) {
		for (const Task &task : tasks) {
			done += perform(task);
			if (!pg::clock_is_set() && std::chrono::steady_clock::now() > end)
				return done;
		}
		if (done >= most || tasks.size() < static_cast<std::size_t>(most))
			break;
		tasks = coming_due(most, Task(tasks.back()));
	}
	return done;
}

} // namespace

int tick(int most)
{
	const pg::ActAs identity = pg::ActAs::engine();
	const pg::BriefLockWaits brief;
	keep_index();
	if (has_to_wait())
		return 0;
	int count = backfill() + release();
	// Who settles keeps others from it until his transaction ends: not while somebody sits in one.
	const bool settles = pg::clock_is_set() || !pg::in_transaction_block();
	for (const Task &task : settles ? touched(most) : std::vector<Task>())
		if (lock(task))
			settle(task);
	return count + perform_all(most);
}

} // namespace automation::engine
