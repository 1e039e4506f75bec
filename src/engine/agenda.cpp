#include "engine/agenda.hpp"

#include "engine/steps.hpp"
#include "pg/identity.hpp"

namespace automation::engine {

using pg::Value;

namespace {

std::vector<Task> read_tasks(pg::Statement &statement, std::initializer_list<Value> values)
{
	pg::Spi spi;
	const pg::Rows found = statement.execute(values);
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

void release_next(const Task &task)
{
	static pg::Statement statement("SELECT automation._follow($1, $2)");
	pg::Spi spi;
	statement.execute({Value::int8(task.run), Value::int2(task.step)});
}

} // namespace

bool has_to_wait()
{
	static pg::Statement copy("SELECT automation._is_copy()");
	pg::Spi spi;
	return copy.execute({}).boolean(0, 1) && !pg::clock_is_set();
}

std::vector<Task> coming_due(int most)
{
	static pg::Statement statement("SELECT place, id, due_at, rule_id, version, entity_id, step, "
								   "awaits, run_id, key, source_key, seen, relation::oid, "
								   "source::oid, source_entity FROM automation._coming_due($1)");
	return read_tasks(statement, {Value::int4(most)});
}

std::vector<Task> touched(int most)
{
	static pg::Statement statement("SELECT place, id, due_at, rule_id, version, entity_id, step, "
								   "awaits, run_id, key, source_key, seen, relation::oid, "
								   "source::oid, source_entity FROM automation._touched($1)");
	return read_tasks(statement, {Value::int4(most)});
}

std::vector<Task> own_due(std::int64_t since, pg::Instant until)
{
	static pg::Statement statement("SELECT place, id, due_at, rule_id, version, entity_id, step, "
								   "awaits, run_id, key, source_key, seen, relation::oid, "
								   "source::oid, source_entity FROM automation._own_due($1, $2)");
	return read_tasks(statement, {Value::int8(since), pg::instant(until)});
}

std::vector<Task> own_touched(std::int64_t since)
{
	static pg::Statement statement("SELECT place, id, due_at, rule_id, version, entity_id, step, "
								   "awaits, run_id, key, source_key, seen, relation::oid, "
								   "source::oid, source_entity FROM automation._own_touched($1)");
	return read_tasks(statement, {Value::int8(since)});
}

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
	static pg::Statement statement(
		"SELECT status IN ('failed', 'dead', 'cancelled') OR reason IS NOT DISTINCT FROM $3 "
		"FROM automation._step WHERE run_id = $1 AND step = $2");
	pg::Spi spi;
	const pg::Rows found = statement.execute(
		{Value::int8(task.run), Value::int2(task.step - 1), Value::text(after_failure)});
	return found.size() > 0 && found.boolean(0, 1);
}

std::optional<std::string> row_of(pg::Oid relation, const std::string &key)
{
	static pg::Statement statement("SELECT automation._row_or_null($1, $2)");
	pg::Spi spi;
	return statement.execute({Value::oid(relation), Value::text(key)}).text(0, 1);
}

pg::RowChange change_from_json(const Chapter &chapter, const Rule &rule, const std::string &json)
{
	const pg::ActAs identity(rule.owner, pg::ActAs::Manner::restricted, rule.search_path);
	return pg::change_of(*chapter.type, pg::Event::insert, std::nullopt,
		pg::row_from_json(identity, chapter.type->type(), json));
}

Image hold_row(const Task &task)
{
	static pg::Statement statement("SELECT automation._hold_row($1, $2)");
	pg::Spi spi;
	std::optional<std::string> json =
		statement.execute({Value::oid(task.relation), Value::text(task.key)}).text(0, 1);
	if (json && *json == "false")
		return {Image::State::busy, {}};
	if (json && !task.source_key.empty())
		json = row_of(task.source_relation, task.source_key);
	return json ? Image{Image::State::there, *json} : Image{Image::State::gone, {}};
}

} // namespace automation::engine
