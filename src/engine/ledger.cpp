#include "engine/ledger.hpp"

#include "core/json.hpp"
#include "pg/fault.hpp"
#include "pg/identity.hpp"
#include "pg/insertion.hpp"
#include "pg/json.hpp"
#include "pg/json_builder.hpp"
#include "pg/process.hpp"
#include "pg/sequence.hpp"
#include "pg/volume.hpp"

#include <optional>

namespace automation::engine {

using pg::Value;

namespace {

std::optional<std::string> unless_empty(const std::string &text)
{
	return text.empty() ? std::nullopt : std::optional(text);
}

Value number_or_null(Value value)
{
	value.is_null = value.number == 0;
	return value;
}

Value columns_or_null(const std::string &array)
{
	return array.empty() ? Value::null(Value::Type::int2s)
						 : Value::parse(Value::Type::int2s, array);
}

Value steps_json(const std::vector<StepRecord> &steps)
{
	pg::JsonBuilder list;
	list.begin_array();
	for (const StepRecord &step : steps)
		step.tell(list);
	return list.end_array().finish();
}

} // namespace

std::string array_text(const std::vector<int> &numbers)
{
	std::string text;
	for (const int number : numbers)
		text += (text.empty() ? "{" : ",") + std::to_string(number);
	return text.empty() ? text : text + "}";
}

void StepRecord::tell(pg::JsonBuilder &list) const
{
	const auto tell_text = [&](const char *name, const std::string &text) {
		if (!text.empty())
			list.key(name).text(text);
	};
	list.begin_object().key("step").number(number).key("action").text(action);
	list.key("status").text(status);
	tell_text("reason", reason);
	tell_text("sqlstate", sqlstate);
	if (!result.empty())
		list.key("result").json(result);
	if (!deliveries.empty()) {
		list.key("deliveries").begin_array();
		for (const std::int64_t delivery : deliveries)
			list.number(delivery);
		list.end_array();
	}
	tell_text("due", due);
	list.end_object();
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
	pg::insert_into(pg::in_volume("run"),
		{Value::int8(run.id), pg::instant(pg::present()), Value::int4(run.rule),
			Value::int4(run.version), Value::int4(run.subject), Value::text(run.key),
			Value::text(run.event), run.changes, Value::text(run.status),
			Value::text_or_null(unless_empty(run.reason)),
			Value::text_or_null(unless_empty(run.sqlstate)), steps_json(run.steps),
			Value::int2(run.depth), number_or_null(Value::int8(run.cause)),
			Value::text(pg::session_user_name())});
	pg::fault_point("a run is recorded");
}

std::int64_t write_delivery(const Delivery &delivery)
{
	const std::int64_t id = pg::next_value("delivery_id_seq");
	pg::insert_into(pg::in_volume("delivery"),
		{Value::int8(id), pg::instant(pg::present()), pg::current_transaction(),
			Value::int8(delivery.run), Value::int2(delivery.step), Value::oid(delivery.owner),
			Value::oid(delivery.server), Value::text(delivery.channel), Value::text(delivery.kind),
			Value::text(delivery.recipient), Value::int2(static_cast<int>(delivery.priority)),
			Value::datum(delivery.message, pg::jsonb_type),
			columns_or_null(array_text(delivery.watched))});
	pg::fault_point("a delivery is written");
	pg::wake_worker_to_send_at_commit();
	return id;
}

void write_place(std::int64_t id, const Delivery &delivery, const RunRecord &run)
{
	pg::insert_into({"queue"},
		{Value::int8(id), Value::oid(delivery.server),
			Value::int2(static_cast<int>(delivery.priority)), Value::int4(run.subject),
			Value::text(run.key)});
}

void write_notification(
	std::int64_t run, int step, const std::string &recipient, const std::string &body)
{
	pg::insert_into({"notification"},
		{Value::int8(pg::next_value("notification_id_seq")), pg::instant(pg::present()),
			Value::text(recipient), Value::text(body), Value::int8(run), Value::int2(step)});
}

std::int64_t write_document(const RunRecord &run, const Document &document)
{
	static pg::Statement insert("SELECT automation._keep_document($1::oid, $2, $3, $4, $5, $6, $7, "
								"convert_to($8, 'UTF8'), true)");
	pg::Spi spi;
	return insert
		.execute({Value::oid(document.owner), Value::int8(run.id), Value::int2(document.step),
			Value::int4(run.subject), Value::text(run.key), Value::text(document.name),
			Value::text(document.type), Value::text(document.text)})
		.integer(0, 1);
}

void write_step(std::int64_t run, int step, const pg::Value &record)
{
	pg::insert_into(pg::in_volume("step_run"),
		{Value::int8(run), Value::int2(step), pg::instant(pg::present()), record});
}

void write_step(std::int64_t run, const StepRecord &step)
{
	pg::JsonBuilder told;
	step.tell(told);
	write_step(run, step.number, told.finish());
}

void write_plan(const Plan &plan)
{
	pg::insert_into({"pending"},
		{Value::int8(next_run()), pg::instant(plan.due), Value::int4(plan.rule),
			Value::int4(plan.version), Value::int4(plan.subject), Value::int2(plan.step),
			Value::text_or_null(unless_empty(plan.awaits)), number_or_null(Value::int8(plan.run)),
			Value::null(Value::Type::timestamptz), Value::text(plan.key),
			Value::text_or_null(unless_empty(plan.source_key)),
			Value::text_or_null(unless_empty(plan.seen))});
	pg::fault_point("a step is planned");
	pg::wake_worker_at_commit();
}

void write_touch(const Touch &touch)
{
	pg::insert_into({"touch"},
		{Value::int8(next_run()), pg::instant(pg::present()), pg::current_transaction(),
			Value::int4(touch.subject), Value::text_or_null(unless_empty(touch.key)),
			columns_or_null(array_text(touch.columns)), number_or_null(Value::int4(touch.rule)),
			number_or_null(Value::int8(touch.cause)), Value::text(touch.reason),
			Value::text(pg::session_user_name())});
	pg::fault_point("a touch is noted");
	pg::wake_worker_at_commit();
}

void write_held(const Held &match)
{
	pg::insert_into({"held"},
		{Value::int8(next_run()), Value::int8(match.batch), Value::int4(match.rule),
			Value::int4(match.source), Value::text(match.event), Value::text(match.key),
			Value::text_or_null(match.old)});
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
