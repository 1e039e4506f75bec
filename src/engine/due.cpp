#include "engine/due.hpp"

#include "core/json.hpp"
#include "engine/cascade.hpp"
#include "engine/run.hpp"
#include "engine/schedule.hpp"
#include "engine/steps.hpp"
#include "pg/identity.hpp"
#include "pg/process.hpp"

#include <vector>

namespace automation::engine {

namespace {

using pg::Value;

// A row of automation.pending.
struct Task {
	std::string place; // its ctid, which stays while the row is locked
	std::int64_t id;
	pg::Instant due;
	int rule, version, subject, source;
	int step;
	std::string awaits;
	std::int64_t run;
	std::string key, source_key, seen;
	pg::Oid relation, source_relation;
};

std::vector<Task> read_tasks(pg::Statement &statement, int most)
{
	pg::Spi spi;
	const pg::Rows found = statement.execute({Value::int4(most)});
	std::vector<Task> tasks;
	for (std::uint64_t i = 0; i < found.size(); ++i) {
		const auto number = [&](int column) { return static_cast<int>(found.integer(i, column)); };
		const auto text = [&](int column) { return found.text(i, column).value_or(""); };
		tasks.push_back({text(1), found.integer(i, 2), found.integer(i, 3), number(4), number(5),
			number(6), number(15), number(7), text(8), found.integer(i, 9), text(10), text(11),
			text(12), static_cast<pg::Oid>(found.integer(i, 13)),
			static_cast<pg::Oid>(found.integer(i, 14))});
	}
	return tasks;
}

std::vector<Task> coming_due(int most)
{
	static pg::Statement statement("SELECT place, id, due_at, rule_id, version, entity_id, step, "
								   "awaits, run_id, key, source_key, seen, relation::oid, "
								   "source::oid, source_entity FROM automation._coming_due($1)");
	return read_tasks(statement, most);
}

std::vector<Task> touched(int most)
{
	static pg::Statement statement("SELECT place, id, due_at, rule_id, version, entity_id, step, "
								   "awaits, run_id, key, source_key, seen, relation::oid, "
								   "source::oid, source_entity FROM automation._touched($1)");
	return read_tasks(statement, most);
}

// False: another tick has it.
bool lock(const Task &task)
{
	static pg::Statement statement(
		"SELECT FROM automation.pending WHERE ctid = $1::tid AND id = $2 "
		"FOR UPDATE SKIP LOCKED");
	pg::Spi spi;
	return statement.execute({Value::text(task.place), Value::int8(task.id)}).size() > 0;
}

void remove(const Task &task)
{
	static pg::Statement statement("DELETE FROM automation.pending WHERE ctid = $1::tid");
	pg::Spi spi;
	statement.execute({Value::text(task.place)});
}

void move(const Task &task, pg::Instant due)
{
	static pg::Statement statement("UPDATE automation.pending SET due_at = $2, awaits = CASE WHEN "
								   "$2 = 'infinity' THEN 'field' "
								   "END WHERE ctid = $1::tid");
	pg::Spi spi;
	statement.execute({Value::text(task.place), pg::instant(due)});
}

void park(const Task &task)
{
	static pg::Statement statement("UPDATE automation.pending SET due_at = 'infinity', parked_at = "
								   "due_at WHERE ctid = $1::tid");
	pg::Spi spi;
	statement.execute({Value::text(task.place)});
}

void release_next(const Task &task)
{
	static pg::Statement statement("SELECT automation._follow($1, $2)");
	pg::Spi spi;
	statement.execute({Value::int8(task.run), Value::int2(task.step)});
}

// Ends the task; a run that was to begin leaves no trace, as none has begun.
void finish(const Task &task, const StepRecord &record)
{
	remove(task);
	if (task.step == 0)
		return;
	write_step(task.run, record);
	if (record.status != "delivering" || pg::clock_is_set())
		release_next(task);
}

void cancel(const Task &task, const std::string &reason)
{
	finish(task, {task.step, "", "cancelled", reason});
}

// The touch that ends what is planned, or that has happened to the column it is anchored on.
std::string touch_since(const Task &task, const std::vector<int> &columns)
{
	static pg::Statement statement(
		"SELECT automation._ended_by($1, $2, $3, nullif($4, 0), $5, $6::smallint[])");
	pg::Spi spi;
	return statement
		.execute({Value::int4(task.subject), Value::text(task.key), Value::int4(task.rule),
			Value::int8(task.run), Value::int8(task.run != 0 ? task.run : task.id),
			Value::text(columns.empty() ? "{}" : array_text(columns))})
		.text(0, 1)
		.value_or("");
}

pg::Instant entered_at(const Task &task, int status)
{
	static pg::Statement statement("SELECT automation._entered($1, $2, $3)");
	pg::Spi spi;
	return statement
		.execute({Value::int4(task.subject), Value::text(task.key), Value::int2(status)})
		.integer(0, 1);
}

std::optional<pg::Instant> left_at(const Task &task, int status)
{
	static pg::Statement statement("SELECT automation._left($1, $2, $3, $4)");
	pg::Spi spi;
	const pg::Rows found = statement.execute({Value::int4(task.subject), Value::text(task.key),
		Value::int2(status), Value::int8(task.run)});
	return found.is_null(0, 1) ? std::nullopt : std::optional(found.integer(0, 1));
}

bool is_superseded(const Task &task)
{
	static pg::Statement statement("SELECT automation._is_superseded($1, $2, $3, $4)");
	pg::Spi spi;
	return task.step == 0 &&
		statement
			.execute({Value::int4(task.subject), Value::text(task.key), Value::int4(task.rule),
				Value::int8(task.id)})
			.boolean(0, 1);
}

// The first time for this instant?
bool is_first(const Task &task)
{
	static pg::Statement statement(
		"INSERT INTO automation.fired (rule_id, entity_id, key, instant) "
		"VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING");
	pg::Spi spi;
	return statement
			   .execute({Value::int4(task.rule), Value::int4(task.subject), Value::text(task.key),
				   pg::instant(task.due)})
			   .size() > 0;
}

bool is_held(const Task &task)
{
	static pg::Statement statement("SELECT automation._is_held($1, $2, $3)");
	pg::Spi spi;
	return statement
		.execute({Value::int4(task.subject), Value::text(task.key), Value::int4(task.rule)})
		.boolean(0, 1);
}

bool previous_failed(const Task &task)
{
	static pg::Statement statement("SELECT automation._step_status($1, $2)");
	pg::Spi spi;
	const std::string status =
		statement.execute({Value::int8(task.run), Value::int2(task.step - 1)})
			.text(0, 1)
			.value_or("");
	return status == "failed" || status == "dead" || status == "cancelled";
}

enum class Row { there, gone, busy };

struct Image {
	Row state;
	std::string json;
};

// The row is locked before anything is judged: a change that comes later waits until we are done,
// one that came earlier is seen.
Image hold_row(const Task &task)
{
	static pg::Statement statement("SELECT automation._hold_row($1, $2)");
	static pg::Statement source("SELECT automation._row_or_null($1, $2)");
	pg::Spi spi;
	std::optional<std::string> json =
		statement.execute({Value::oid(task.relation), Value::text(task.key)}).text(0, 1);
	if (json && *json == "false")
		return {Row::busy, {}};
	if (json && !task.source_key.empty())
		json = source.execute({Value::oid(task.source_relation), Value::text(task.source_key)})
				   .text(0, 1);
	return json ? Image{Row::there, *json} : Image{Row::gone, {}};
}

class Performance {
public:
	Performance(const Task &task, Chapter &chapter, Rule &rule)
		: task_(task), chapter_(chapter), rule_(rule),
		  wait_(task.step == 0 ? *rule.wait : *step().wait)
	{
	}

	// A touch may have ended it, or moved it.
	void settle()
	{
		const Image image = hold_row(task_);
		if (image.state == Row::busy || ended(image))
			return;
		const pg::RowChange row = row_of(image);
		if (task_.step == 0)
			return;
		if (wait_.anchor == Wait::Anchor::field)
			follow_the_date(row);
		else if (task_.awaits == "leaving")
			follow_the_leaving(row);
	}

	// Its time has come. False: the row is locked.
	bool perform()
	{
		if (rule_.state == State::paused || is_held(task_)) {
			park(task_);
			return true;
		}
		const Image image = hold_row(task_);
		if (image.state == Row::busy)
			return false;
		if (ended(image))
			return true;
		const pg::RowChange row = row_of(image);
		if (!task_.awaits.empty() && task_.awaits != "previous" && !reckoned(row))
			return true;
		if (differs(row))
			return true;
		if (task_.step == 0)
			begin(row);
		else if (task_.awaits == "previous" && previous_failed(task_))
			finish(task_, {task_.step, "", "not_run", "the step before it failed"});
		else if (task_.awaits != "previous" || reckoned(row))
			go_on(row);
		return true;
	}

private:
	Step &step() { return rule_.steps.at(static_cast<std::size_t>(task_.step) - 1); }

	bool ended(const Image &image)
	{
		if (rule_.state == State::disabled && !rule_.finishes)
			return cancel(task_, "rule disabled"), true;
		const std::string touch = touch_since(task_, wait_.cancelled_by);
		if (!touch.empty())
			return cancel(task_, touch), true;
		if (image.state == Row::gone)
			return cancel(task_, "row deleted"), true;
		if (is_superseded(task_))
			return remove(task_), true;
		return false;
	}

	pg::RowChange row_of(const Image &image) const
	{
		const pg::ActAs identity(rule_.owner, pg::ActAs::Manner::restricted, rule_.search_path);
		return pg::change_of(*chapter_.type, pg::Event::insert, std::nullopt,
			pg::row_from_json(chapter_.type->type(), image.json));
	}

	// What was not known when it was planned is known now. False: it is due later.
	bool reckoned(const pg::RowChange &row)
	{
		const pg::CountingFrom base(
			task_.awaits == "entered" ? entered_at(task_, wait_.anchored_on) : pg::now());
		const pg::Instant due = due_time(chapter_, rule_, wait_, row);
		if (due <= pg::now())
			return true;
		move(task_, due);
		return false;
	}

	void follow_the_leaving(const pg::RowChange &row)
	{
		const std::optional<pg::Instant> left = left_at(task_, wait_.anchored_on);
		if (!left)
			return;
		const pg::CountingFrom base(*left);
		move(task_, due_time(chapter_, rule_, wait_, row));
	}

	void follow_the_date(const pg::RowChange &row)
	{
		const pg::Instant due = due_time(chapter_, rule_, wait_, row);
		if (due != task_.due)
			move(task_, due);
	}

	bool differs(const pg::RowChange &row)
	{
		if (wait_.by_difference && values_seen(wait_, row) != task_.seen)
			return cancel(task_, "a value is not what it was"), true;
		if (!wait_.unless)
			return false;
		const pg::Expression &unless = chapter_.compile(rule_, wait_.unless);
		if (!as_owner(rule_, unless, StepKind::message, [&] { return unless.holds(row); }))
			return false;
		return cancel(task_, "its cancel_when holds"), true;
	}

	void begin(const pg::RowChange &row)
	{
		if (!rule_.is_standing || is_first(task_))
			run_when_due(chapter_, rule_, row);
		remove(task_);
	}

	void go_on(const pg::RowChange &row)
	{
		RunRecord run;
		run.id = task_.run;
		run.rule = task_.rule;
		run.version = task_.version;
		run.subject = task_.subject;
		run.key = task_.key;
		run.source_key = task_.source_key;
		const Cascade::Scope scope(rule_, task_.key, task_.run);
		finish(task_, take_step(chapter_, rule_, step(), row, run));
	}

	const Task &task_;
	Chapter &chapter_;
	Rule &rule_;
	Wait &wait_;
};

// Null: the rule, or what it said then, is gone.
Rule *rule_of(const Task &task, Chapter *chapter)
{
	Rule *rule = chapter ? chapter->find(task.rule, task.version) : nullptr;
	const bool known = rule && static_cast<std::size_t>(task.step) <= rule->steps.size() &&
		(task.step == 0 ? rule->wait : rule->steps[static_cast<std::size_t>(task.step) - 1].wait);
	return known ? rule : nullptr;
}

// A run that could not begin.
void record_failure(const Task &task, const pg::Error &error)
{
	RunRecord run;
	run.id = next_run();
	run.rule = task.rule;
	run.version = task.version;
	run.subject = task.subject;
	run.key = task.key;
	run.event = "due";
	run.status = "failed";
	run.reason = error.message();
	run.sqlstate = error.sqlstate();
	write_run(run);
}

// Runs body on the rule that planned the task, each task by itself: one that fails leaves a record
// and stops none of the others. False: somebody else has locked what it needs.
template <typename Body> bool deal_with(const Task &task, Body &&body)
{
	bool dealt_with = true;
	const Cascade::Root root;
	const Rulebook book;
	const auto error = pg::subtransaction([&] {
		Chapter *chapter = task.source != 0 ? &book.chapter(task.source) : nullptr;
		if (Rule *rule = rule_of(task, chapter))
			dealt_with = body(Performance(task, *chapter, *rule));
		else
			cancel(task, "rule dropped");
	});
	if (!error)
		return dealt_with;
	if (error->sqlstate() == pg::lock_not_available || error->sqlstate() == pg::deadlock_detected)
		return false;
	if (task.step == 0)
		record_failure(task, *error);
	finish(task, {task.step, "", "failed", error->message(), error->sqlstate()});
	return true;
}

} // namespace

int tick(int most)
{
	const pg::ActAs identity(pg::extension_owner(), pg::ActAs::Manner::definer);
	const pg::BriefLockWaits brief;
	int count = 0;
	for (const Task &task : touched(most))
		if (lock(task))
			deal_with(task, [](Performance performance) { return performance.settle(), true; });
	for (const Task &task : coming_due(most))
		count += deal_with(task, [](Performance performance) { return performance.perform(); });
	return count;
}

int advance(pg::Datum interval)
{
	static pg::Statement next("SELECT min(due_at) FROM automation.pending WHERE due_at > $1");
	const pg::Instant end = pg::later(pg::now(), interval);
	int count = 0;
	for (;;) {
		pg::set_clock(pg::now());
		while (const int done = tick(1000))
			count += done;
		const pg::ActAs identity(pg::extension_owner(), pg::ActAs::Manner::definer);
		pg::Spi spi;
		const pg::Rows found = next.execute({pg::instant(pg::now())});
		if (found.is_null(0, 1) || found.integer(0, 1) > end)
			break;
		pg::set_clock(found.integer(0, 1));
	}
	pg::set_clock(end);
	return count;
}

} // namespace automation::engine
