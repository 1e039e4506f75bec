#include "engine/ledger.hpp"

#include "core/json.hpp"
#include "pg/identity.hpp"
#include "pg/json.hpp"
#include "pg/process.hpp"
#include "pg/sequence.hpp"

#include <optional>

namespace automation::engine {

using core::json_string;
using pg::Value;

namespace {

std::string field(const char *name, const std::string &json)
{
	return "," + json_string(name) + ":" + json;
}

std::optional<std::string> unless_empty(const std::string &text)
{
	return text.empty() ? std::nullopt : std::optional(text);
}

Value json_or_null(const std::string &text)
{
	return text.empty() ? Value::null(Value::Type::jsonb) : Value::parse(Value::Type::jsonb, text);
}

std::string steps_json(const std::vector<StepRecord> &steps)
{
	std::string text = "[";
	for (const StepRecord &step : steps)
		text += (text.size() > 1 ? "," : "") + step.json();
	return text + "]";
}

} // namespace

std::string array_text(const std::vector<int> &numbers)
{
	std::string text;
	for (const int number : numbers)
		text += (text.empty() ? "{" : ",") + std::to_string(number);
	return text.empty() ? text : text + "}";
}

std::string StepRecord::json() const
{
	std::string text = "{\"step\":" + std::to_string(number) +
		field("action", json_string(action)) + field("status", json_string(status));
	if (!reason.empty())
		text += field("reason", json_string(reason));
	if (!sqlstate.empty())
		text += field("sqlstate", json_string(sqlstate));
	if (!result.empty())
		text += field("result", result);
	if (!deliveries.empty()) {
		std::string list;
		for (const std::int64_t delivery : deliveries)
			list += (list.empty() ? "" : ",") + std::to_string(delivery);
		text += field("deliveries", "[" + list + "]");
	}
	if (!due.empty())
		text += field("due", json_string(due));
	return text + "}";
}

const char *event_name(pg::Event event)
{
	switch (event) {
	case pg::Event::insert:
		return "created";
	case pg::Event::update:
		return "updated";
	default:
		return "deleted";
	}
}

std::int64_t next_run()
{
	return pg::next_value("run_id_seq");
}

void write_run(const RunRecord &run)
{
	static pg::Statement insert(
		"INSERT INTO automation.run (id, at, rule_id, version, entity_id, key, event, changes, "
		"status, "
		"reason, sqlstate, steps, depth, cause, actor) OVERRIDING SYSTEM VALUE "
		"VALUES ($1, automation._now(), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, nullif($13, "
		"0), "
		"session_user)");
	pg::Spi spi;
	insert.execute({Value::int8(run.id), Value::int4(run.rule), Value::int4(run.version),
		Value::int4(run.subject), Value::text(run.key), Value::text(run.event),
		json_or_null(run.changes), Value::text(run.status),
		Value::text_or_null(unless_empty(run.reason)),
		Value::text_or_null(unless_empty(run.sqlstate)),
		Value::parse(Value::Type::jsonb, steps_json(run.steps)), Value::int2(run.depth),
		Value::int8(run.cause)});
}

std::int64_t write_delivery(const Delivery &delivery)
{
	static pg::Statement insert("INSERT INTO automation.delivery (at, txid, run_id, step, "
								"rule_owner, server, channel, kind, "
								"recipient, message, watched) VALUES (automation._now(), "
								"pg_current_xact_id(), $1, $2, $3, $4, $5, $6, "
								"$7, $8, $9::smallint[]) RETURNING id");
	pg::Spi spi;
	const pg::Rows inserted = insert.execute(
		{Value::int8(delivery.run), Value::int2(delivery.step), Value::oid(delivery.owner),
			Value::oid(delivery.server), Value::text(delivery.channel), Value::text(delivery.kind),
			Value::text(delivery.recipient), Value::datum(delivery.message, pg::jsonb_type),
			Value::text_or_null(unless_empty(array_text(delivery.watched)))});
	pg::wake_worker_at_commit();
	return inserted.integer(0, 1);
}

void write_notification(std::int64_t run, const std::string &recipient, const std::string &body)
{
	static pg::Statement insert("INSERT INTO automation.notification (at, recipient, body, run_id) "
								"VALUES (automation._now(), $1, $2, $3)");
	pg::Spi spi;
	insert.execute({Value::text(recipient), Value::text(body), Value::int8(run)});
}

void write_step(std::int64_t run, const StepRecord &step)
{
	static pg::Statement insert(
		"INSERT INTO automation.step_run (run_id, step, record) VALUES ($1, $2, $3)");
	pg::Spi spi;
	insert.execute({Value::int8(run), Value::int2(step.number),
		Value::parse(Value::Type::jsonb, step.json())});
}

void write_plan(const Plan &plan)
{
	static pg::Statement insert(
		"INSERT INTO automation.pending (due_at, rule_id, version, entity_id, step, awaits, "
		"run_id, "
		"key, source_key, seen) VALUES ($1, $2, $3, $4, $5, $6, nullif($7, 0), $8, $9, $10)");
	pg::Spi spi;
	insert.execute({pg::instant(plan.due), Value::int4(plan.rule), Value::int4(plan.version),
		Value::int4(plan.subject), Value::int2(plan.step),
		Value::text_or_null(unless_empty(plan.awaits)), Value::int8(plan.run),
		Value::text(plan.key), Value::text_or_null(unless_empty(plan.source_key)),
		Value::text_or_null(unless_empty(plan.seen))});
	pg::wake_worker_at_commit();
}

void write_touch(const Touch &touch)
{
	static pg::Statement insert(
		"INSERT INTO automation.touch (entity_id, key, columns, rule_id, cause, reason) "
		"VALUES ($1, $2, $3::smallint[], nullif($4, 0), nullif($5, 0), $6)");
	pg::Spi spi;
	insert.execute({Value::int4(touch.subject), Value::text_or_null(unless_empty(touch.key)),
		Value::text_or_null(unless_empty(array_text(touch.columns))), Value::int4(touch.rule),
		Value::int8(touch.cause), Value::text(touch.reason)});
	pg::wake_worker_at_commit();
}

void write_event(const Happening &happening)
{
	static pg::Statement insert(
		"INSERT INTO automation.event (entity_id, key, event, old_row, new_row, cause) "
		"VALUES ($1, $2, $3, $4::jsonb, $5::jsonb, nullif($6, 0))");
	pg::Spi spi;
	insert.execute({Value::int4(happening.entity), Value::text(happening.key),
		Value::text(happening.event), Value::text_or_null(happening.old_row),
		Value::text_or_null(happening.new_row), Value::int8(happening.cause)});
}

} // namespace automation::engine
