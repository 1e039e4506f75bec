#include "engine/agenda.hpp"

#include "engine/steps.hpp"
#include "pg/identity.hpp"

namespace automation::engine {

using pg::Value;

namespace {

constexpr auto by_index = pg::Statement::Plan::by_index;

std::vector<Task> read_tasks(pg::Statement &statement, std::initializer_list<Value> values)
{
	pg::Spi spi;
	const pg::Rows found = statement.execute(values);
	std::vector<Task> tasks;
	tasks.reserve(found.size());
	for (std::uint64_t i = 0; i < found.size(); ++i) {
		const auto number = [&](int column) { return static_cast<int>(found.integer(i, column)); };
		const auto text = [&](int column) { return found.text(i, column).value_or(""); };
		tasks.push_back(
			{text(1), found.integer(i, 2), found.integer(i, 3), number(4), number(5), number(6),
				number(13), number(7), text(8), found.integer(i, 9), text(10), text(11), text(12)});
	}
	return tasks;
}

// Lets the step begin that waits for this one.
void release_next(const Task &task)
{
	static pg::Statement statement("UPDATE automation.pending SET due_at = automation._now() "
								   "WHERE entity_id = $1 AND key = $2 AND run_id = $3 AND step = "
								   "$4 AND awaits = 'previous' AND parked_at IS NULL",
		by_index);
	pg::Spi spi;
	statement.execute({Value::int4(task.subject), Value::text(task.key), Value::int8(task.run),
		Value::int2(task.step + 1)});
}

} // namespace

bool has_to_wait()
{
	static pg::Statement copy("SELECT automation._is_copy()");
	pg::Spi spi;
	return copy.execute({}).boolean(0, 1) && !pg::clock_is_set();
}

std::vector<Task> coming_due(int most, pg::Instant after, std::int64_t id)
{
	static pg::Statement statement("SELECT * FROM automation._coming_due($1, $2, $3)");
	return read_tasks(statement, {Value::int4(most), pg::instant(after), Value::int8(id)});
}

std::vector<Task> touched(int most)
{
	static pg::Statement statement("SELECT * FROM automation._touched($1)");
	return read_tasks(statement, {Value::int4(most)});
}

std::vector<Task> own_due(std::int64_t since, pg::Instant until)
{
	static pg::Statement statement("SELECT * FROM automation._own_due($1, $2)");
	return read_tasks(statement, {Value::int8(since), pg::instant(until)});
}

std::vector<Task> own_touched(std::int64_t since)
{
	static pg::Statement statement("SELECT * FROM automation._own_touched($1)");
	return read_tasks(statement, {Value::int8(since)});
}

bool lock(const Task &task)
{
	static pg::Statement statement(
		"SELECT ctid FROM automation.pending WHERE ctid = $1::tid AND id = $2 "
		"FOR UPDATE SKIP LOCKED");
	pg::Spi spi;
	const pg::Rows found = statement.execute({Value::text(task.place), Value::int8(task.id)});
	return found.size() > 0 && found.text(0, 1) == task.place;
}

void remove(const Task &task)
{
	static pg::Statement statement("DELETE FROM automation.pending WHERE ctid = $1::tid");
	pg::Spi spi;
	statement.execute({Value::text(task.place)});
}

void move(const Task &task, pg::Instant due)
{
	// One that is held with its transaction stays so.
	static pg::Statement statement(
		"UPDATE automation.pending SET due_at = CASE WHEN batch_id IS NULL THEN $2 ELSE due_at "
		"END, parked_at = CASE WHEN batch_id IS NOT NULL THEN $2 END, "
		"awaits = CASE WHEN $2 = 'infinity' THEN 'field' END WHERE ctid = $1::tid");
	pg::Spi spi;
	statement.execute({Value::text(task.place), pg::instant(due)});
}

void postpone(const Task &task)
{
	static pg::Statement statement(
		"UPDATE automation.pending SET due_at = automation._now() + interval '1 second' "
		"WHERE ctid = $1::tid AND batch_id IS NULL");
	pg::Spi spi;
	statement.execute({Value::text(task.place)});
}

void look_again(const Task &task)
{
	static pg::Statement statement(
		"UPDATE automation.pending SET seen = coalesce(seen, due_at::text), awaits = 'until', "
		"due_at = least(due_at, automation._now() + interval '1 second') WHERE ctid = $1::tid");
	pg::Spi spi;
	statement.execute({Value::text(task.place)});
}

bool waits_on(const Task &task)
{
	static pg::Statement statement(
		"UPDATE automation.pending SET due_at = seen::timestamptz, awaits = NULL, seen = NULL "
		"WHERE ctid = $1::tid AND seen::timestamptz > automation._now() RETURNING 1");
	pg::Spi spi;
	return statement.execute({Value::text(task.place)}).size() > 0;
}

void wait_on(const Task &task)
{
	static pg::Statement statement(
		"UPDATE automation.pending SET due_at = 'infinity' WHERE ctid = $1::tid");
	pg::Spi spi;
	statement.execute({Value::text(task.place)});
}

void park(const Task &task)
{
	static pg::Statement statement("UPDATE automation.pending SET due_at = 'infinity', parked_at = "
								   "due_at WHERE ctid = $1::tid");
	pg::Spi spi;
	statement.execute({Value::text(task.place)});
}

void finish(const Task &task, const StepRecord &record)
{
	remove(task);
	if (task.step == 0)
		return;
	write_step(task.run, record);
	if (record.status != "delivering" || pg::clock_is_set())
		release_next(task);
}

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

void cancel(const Task &task, const std::string &reason)
{
	finish(task, {task.step, "", "cancelled", reason});
}

Circumstances circumstances(const Task &task, const std::vector<int> &columns)
{
	static pg::Statement statement("SELECT is_held, touch, is_superseded FROM "
								   "automation._circumstances($1, $2, $3, nullif($4, 0), $5, $6, "
								   "$7::smallint[])",
		by_index);
	pg::Spi spi;
	const pg::Rows found = statement.execute({Value::int4(task.subject), Value::text(task.key),
		Value::int4(task.rule), Value::int8(task.run), Value::int8(task.id), Value::int2(task.step),
		Value::text(columns.empty() ? "{}" : array_text(columns))});
	return {found.boolean(0, 1), found.text(0, 2).value_or(""), found.boolean(0, 3)};
}

pg::Instant began_at(const Task &task)
{
	static pg::Statement statement("SELECT automation._began($1)");
	pg::Spi spi;
	return statement.execute({Value::int8(task.run)}).integer(0, 1);
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

bool is_first(const Task &task, pg::Instant instant)
{
	static pg::Statement statement("SELECT automation._is_first($1, $2, $3, $4)");
	pg::Spi spi;
	return statement
		.execute({Value::int4(task.rule), Value::int4(task.subject), Value::text(task.key),
			pg::instant(instant)})
		.boolean(0, 1);
}

bool previous_failed(const Task &task)
{
	static pg::Statement statement(
		"SELECT status IN ('failed', 'dead', 'cancelled') OR reason IS NOT DISTINCT FROM $3 "
		"FROM automation._step WHERE run_id = $1 AND step = $2");
	pg::Spi spi;
	const pg::Rows found = statement.execute(
		{Value::int8(task.run), Value::int2(task.step - 1), Value::text(after_failure)});
	return found.size() > 0 && found.boolean(0, 1);
}

} // namespace automation::engine
