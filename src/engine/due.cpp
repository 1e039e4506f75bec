#include "engine/due.hpp"

#include "engine/backfill.hpp"
#include "engine/bulk.hpp"
#include "engine/cascade.hpp"
#include "engine/index.hpp"
#include "engine/performance.hpp"
#include "engine/rulebook.hpp"
#include "pg/earliest.hpp"
#include "pg/fault.hpp"
#include "pg/identity.hpp"
#include "pg/process.hpp"

#include <algorithm>
#include <chrono>

namespace automation::engine {

using std::chrono::milliseconds;

namespace {

// Columns of automation.pending.
namespace pending {
enum : int { id = 1, due_at };
}

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
	pg::fault_point("a touched step is settled");
}

bool perform(const Task &task)
{
	const bool done =
		deal_with(task, [](Performance &&performance) { return performance.perform(); });
	pg::fault_point("a due step is taken");
	return done;
}

namespace {

// Of what is planned, as it is before somebody takes or plans something.
void search(pg::Earliest &earliest)
{
	pg::Reading rows({"pending"}, {pending::due_at, pending::id});
	earliest.search(rows, {}, pending::due_at);
}

pg::Earliest planned;

// Until all of it is done the rows behind all of it are locked: not for long.
constexpr milliseconds longest_turn{200};

// What cannot be done now, as somebody else has locked its row, holds up nothing behind it.
int perform_all(int most, pg::Instant after)
{
	const auto end = std::chrono::steady_clock::now() + longest_turn;
	int done = 0;
	std::vector<Task> tasks = coming_due(most, after);
	if (!tasks.empty())
		pg::fault_point("due steps are locked");
	while (!tasks.empty()) {
		for (const Task &task : tasks) {
			done += perform(task);
			if (!pg::clock_is_set() && std::chrono::steady_clock::now() > end)
				return done;
		}
		if (done >= most || tasks.size() < static_cast<std::size_t>(most))
			break;
		tasks = coming_due(most, tasks.back().due, tasks.back().id);
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
	// A clock that is set goes back again, and a transaction's beginning may be undone.
	const bool knows_first = !pg::clock_is_set() && !pg::in_transaction_block();
	if (knows_first) {
		planned.search_all();
		search(planned);
	}
	int count = backfill() + release();
	bool has_planned = count > 0;
	// Who settles keeps others from it until his transaction ends: not while somebody sits in one.
	const bool settles = pg::clock_is_set() || !pg::in_transaction_block();
	for (const Task &task : settles ? touched(most) : std::vector<Task>())
		if (lock(task)) {
			settle(task);
			has_planned = true;
		}
	if (!knows_first || has_planned)
		return count + perform_all(most, pg::before_all);
	return planned.is_due() ? perform_all(most, planned.none_until()) : 0;
}

// What this transaction has done may be undone: `planned` does not learn from it.
milliseconds next_due()
{
	static pg::Statement others("SELECT min(1000 / least(o.rate, 10)) FROM ("
								"SELECT a.rate FROM automation.activation AS a "
								"WHERE a.state = 'running' UNION ALL "
								"SELECT b.rate FROM automation.batch AS b "
								"WHERE b.state = 'releasing') AS o (rate)");
	const pg::ActAs identity = pg::ActAs::engine();
	if (has_to_wait())
		return milliseconds::max();
	pg::Earliest earliest = planned;
	search(earliest);
	milliseconds wait = milliseconds::max();
	if (const auto first = earliest.wait())
		wait = std::chrono::ceil<milliseconds>(*first);
	pg::Spi spi;
	if (const pg::Rows found = others.execute({}); !found.is_null(0, 1))
		wait = std::min(wait, milliseconds(found.integer(0, 1)));
	return wait;
}

} // namespace automation::engine
