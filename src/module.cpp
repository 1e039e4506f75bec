// Everything PostgreSQL can call, in one place: the table of contents.
#include "pg/entry.hpp"

#include "core/escape.hpp"
#include "core/json.hpp"
#include "core/recipient.hpp"
#include "core/suggestion.hpp"
#include "engine/capture.hpp"
#include "engine/definition.hpp"
#include "pg/changed.hpp"
#include "pg/clock.hpp"
#include "pg/compiled.hpp"
#include "pg/definitions.hpp"
#include "pg/invocation.hpp"
#include "pg/scope.hpp"
#include "pg/settings.hpp"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

namespace automation {

namespace {

// The way of a write.

Datum capture(FunctionCallInfo call)
{
	engine::on_row(pg::TriggerCall(call));
	return PointerGetDatum(nullptr);
}

Datum truncated(FunctionCallInfo call)
{
	engine::on_truncate(pg::truncated_entity(call));
	return PointerGetDatum(nullptr);
}

Datum fire_rule(FunctionCallInfo call)
{
	const std::string row = pg::json_argument(call, 1);
	return Int64GetDatum(engine::fire(pg::integer_argument(call, 0), row));
}

Datum rules_changed(FunctionCallInfo)
{
	pg::announce_change_of_definitions();
	return PointerGetDatum(nullptr);
}

// Definition: what a rule says becomes SQL.

Datum template_sql(FunctionCallInfo call)
{
	return pg::text_result(engine::template_sql(
		pg::scope_argument(call, 0), pg::text_argument(call, 1), pg::text_argument(call, 2)));
}

Datum rewrite_links(FunctionCallInfo call)
{
	return pg::text_result(
		engine::rewrite_links(pg::scope_argument(call, 0), pg::text_argument(call, 1)));
}

Datum check_condition(FunctionCallInfo call)
{
	engine::check_condition(
		pg::scope_argument(call, 0), pg::text_argument(call, 1), pg::text_array_argument(call, 2));
	PG_RETURN_VOID();
}

// {"status": "state"}: which column each role names today.
Datum fields(FunctionCallInfo call)
{
	std::string object;
	for (const pg::NamedColumn &field : pg::named_columns(DatumGetObjectId(call->args[0].value)))
		object += (object.empty() ? "" : ",") + core::json_string(field.name) + ":" +
			core::json_string(field.column);
	return pg::json_result("{" + object + "}");
}

Datum conjuncts(FunctionCallInfo call)
{
	pg::ResultSet rows(call);
	for (const pg::Conjunct &conjunct : pg::conjuncts_of(DatumGetObjectId(call->args[0].value)))
		rows.add({conjunct.expression, pg::array_text(conjunct.columns),
			conjunct.is_change ? "true" : "false"});
	return 0;
}

Datum suggest(FunctionCallInfo call)
{
	const std::string name = pg::text_argument(call, 0);
	const std::vector<std::string> known = pg::text_array_argument(call, 1);
	const std::vector<std::string_view> candidates(known.begin(), known.end());
	return pg::text_result_or_null(call, core::closest(name, candidates));
}

// Small functions that compiled templates call.

template <std::string (*Convert)(std::string_view)> Datum convert(FunctionCallInfo call)
{
	return pg::text_result(Convert(pg::text_argument(call, 0)));
}

Datum now(FunctionCallInfo)
{
	return pg::now();
}

} // namespace

} // namespace automation

PG_ENTRY(automation_call, automation::pg::call_as_extension_owner);
PG_ENTRY(automation_capture, automation::capture);
PG_ENTRY(automation_truncated, automation::truncated);
PG_ENTRY(automation_fire_rule, automation::fire_rule);
PG_ENTRY(automation_rules_changed, automation::rules_changed);
PG_ENTRY(automation_template_sql, automation::template_sql);
PG_ENTRY(automation_rewrite_links, automation::rewrite_links);
PG_ENTRY(automation_check_condition, automation::check_condition);
PG_ENTRY(automation_fields, automation::fields);
PG_ENTRY(automation_conjuncts, automation::conjuncts);
PG_ENTRY(automation_suggest, automation::suggest);
PG_ENTRY(automation_changed, automation::pg::changed);
PG_ENTRY(automation_now, automation::now);
PG_ENTRY(automation_html_escape, automation::convert<automation::core::html_escape>);
PG_ENTRY(automation_one_line, automation::convert<automation::core::one_line>);
PG_ENTRY(automation_url_encode, automation::convert<automation::core::url_encode>);
PG_ENTRY(automation_phone_e164, automation::convert<automation::core::normalize_phone_number>);

void _PG_init(void)
{
	automation::pg::define_settings();
	automation::pg::follow_definitions();
}
