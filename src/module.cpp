// Everything PostgreSQL can call, in one place: the table of contents.
#include "pg/entry.hpp"

#include "core/escape.hpp"
#include "core/failure.hpp"
#include "core/header.hpp"
#include "core/provider.hpp"
#include "core/recipient.hpp"
#include "core/sms_segments.hpp"
#include "core/suggestion.hpp"
#include "engine/bulk.hpp"
#include "engine/capture.hpp"
#include "engine/cascade.hpp"
#include "engine/choices.hpp"
#include "engine/commit.hpp"
#include "engine/definition.hpp"
#include "engine/due.hpp"
#include "engine/index.hpp"
#include "engine/ledger.hpp"
#include "engine/obstacle.hpp"
#include "engine/passage.hpp"
#include "engine/question.hpp"
#include "engine/trial.hpp"
#include "pg/caller.hpp"
#include "pg/changed.hpp"
#include "pg/channel.hpp"
#include "pg/clock.hpp"
#include "pg/compiled.hpp"
#include "pg/copy.hpp"
#include "pg/database_ddl.hpp"
#include "pg/definitions.hpp"
#include "pg/delivery.hpp"
#include "pg/fault.hpp"
#include "pg/fields.hpp"
#include "pg/figures.hpp"
#include "pg/gathering.hpp"
#include "pg/invocation.hpp"
#include "pg/json.hpp"
#include "pg/lineage.hpp"
#include "pg/object.hpp"
#include "pg/process.hpp"
#include "pg/recurrence.hpp"
#include "pg/rollback.hpp"
#include "pg/schedule.hpp"
#include "pg/scope.hpp"
#include "pg/settings.hpp"
#include "pg/workers.hpp"
#include "pg/zone.hpp"
#include "worker/callback.hpp"
#include "worker/launcher.hpp"
#include "worker/worker.hpp"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
PGDLLEXPORT void automation_launcher_main(Datum argument);
PGDLLEXPORT void automation_worker_main(Datum argument);
}

namespace automation {

namespace {

// What answers nothing.
template <void (*Do)()> Datum perform(FunctionCallInfo)
{
	Do();
	PG_RETURN_VOID();
}

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

Datum took(FunctionCallInfo call)
{
	return BoolGetDatum(
		engine::Choices::took(pg::text_argument(call, 0), pg::text_argument(call, 1)));
}

Datum tick(FunctionCallInfo call)
{
	// What a step leaves to be checked later would be checked with the rights of this session.
	pg::defer_no_constraint();
	return Int32GetDatum(engine::tick(pg::integer_argument(call, 0)));
}

Datum next_due(FunctionCallInfo)
{
	return Int64GetDatum(engine::next_due().count());
}

Datum advance(FunctionCallInfo call)
{
	return Int32GetDatum(engine::advance(pg::datum_argument(call, 0)));
}

Datum write_step(FunctionCallInfo call)
{
	engine::write_step(static_cast<std::int64_t>(pg::datum_argument(call, 0)),
		static_cast<int>(pg::datum_argument(call, 1)),
		pg::Value::datum(pg::datum_argument(call, 2), pg::jsonb_type));
	PG_RETURN_VOID();
}

Datum set_clock(FunctionCallInfo call)
{
	const pg::Instant instant = pg::to_instant(pg::datum_argument(call, 0));
	if (!pg::is_finite(instant))
		throw core::Failure("22023", "clock must be set to a finite time");
	pg::set_clock(instant);
	return Int64GetDatum(pg::present());
}

void conclude_transaction(Datum preparing)
{
	engine::judge_at_commit(DatumGetBool(preparing));
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

Datum check_expression(FunctionCallInfo call)
{
	engine::check_expression(
		pg::scope_argument(call, 0), pg::text_argument(call, 1), pg::text_array_argument(call, 2));
	PG_RETURN_VOID();
}

Datum check_recipient(FunctionCallInfo call)
{
	core::check_recipient(
		core::kind_named(pg::text_argument(call, 0)).value(), pg::text_argument(call, 1));
	PG_RETURN_VOID();
}

Datum check_header(FunctionCallInfo call)
{
	const std::string name = pg::text_argument(call, 0);
	core::check_header_name(name);
	core::check_header_value(name, pg::text_argument(call, 1));
	PG_RETURN_VOID();
}

Datum holds(FunctionCallInfo call)
{
	const std::optional<bool> verdict =
		engine::holds({pg::oid_argument(call, 0), pg::text_argument(call, 1),
			pg::oid_argument(call, 2), pg::integer_argument(call, 3), pg::oid_argument(call, 4),
			pg::json_argument_or_null(call, 5), pg::json_argument_or_null(call, 6)});
	call->isnull = !verdict;
	return BoolGetDatum(verdict.value_or(false));
}

Datum matches(FunctionCallInfo call)
{
	return Int64GetDatum(engine::count_matches(pg::oid_argument(call, 0),
		pg::text_argument(call, 1), pg::oid_argument(call, 2), pg::oid_argument(call, 3)));
}

Datum obstacle(FunctionCallInfo call)
{
	return pg::text_result_or_null(call, engine::obstacle_to(pg::integer_argument(call, 0)));
}

Datum index_key(FunctionCallInfo call)
{
	pg::ResultSet(call).add(
		engine::stored_key(pg::oid_argument(call, 0), pg::oid_argument(call, 1)));
	return 0;
}

Datum ask(FunctionCallInfo call)
{
	return pg::json_result_or_null(call,
		engine::ask(
			pg::oid_argument(call, 0), pg::text_argument(call, 1), pg::json_argument(call, 2)));
}

Datum act(FunctionCallInfo call)
{
	return pg::json_result_or_null(call,
		engine::act(pg::oid_argument(call, 0), pg::text_argument(call, 1),
			pg::text_argument(call, 2), pg::json_argument(call, 3)));
}

Datum act_for(FunctionCallInfo call)
{
	const engine::PastRun run{.id = static_cast<std::int64_t>(pg::datum_argument(call, 0)),
		.rule = pg::integer_argument(call, 1),
		.key = pg::text_argument(call, 2)};
	return pg::json_result_or_null(call,
		engine::act_for(run, pg::oid_argument(call, 3), pg::text_argument(call, 4),
			pg::text_argument(call, 5), pg::json_argument(call, 6)));
}

Datum suggest(FunctionCallInfo call)
{
	const std::string name = pg::text_argument(call, 0);
	const std::vector<std::string> known = pg::text_array_argument(call, 1);
	const std::vector<std::string_view> candidates(known.begin(), known.end());
	return pg::text_result_or_null(call, core::closest(name, candidates));
}

// Channels.

Datum map_public(FunctionCallInfo call)
{
	using Kind = pg::OptionChange::Kind;
	const std::vector<std::string> actions = pg::text_array_argument(call, 1);
	const std::vector<std::string> names = pg::text_array_argument(call, 2);
	const std::vector<std::string> settings = pg::text_array_argument(call, 3);
	std::vector<pg::OptionChange> changes;
	for (std::size_t i = 0; i < actions.size(); ++i)
		changes.push_back(
			{actions[i] == "add" ? Kind::add : (actions[i] == "set" ? Kind::set : Kind::drop),
				names.at(i), settings.at(i)});
	pg::map_public(pg::text_argument(call, 0), changes);
	PG_RETURN_VOID();
}

Datum has_twilio_signature(FunctionCallInfo call)
{
	return BoolGetDatum(worker::has_twilio_signature(pg::oid_argument(call, 0),
		pg::oid_argument(call, 1), pg::text_argument(call, 2),
		pg::json_entries(pg::datum_argument(call, 3)), pg::text_argument(call, 4)));
}

Datum sms_segments(FunctionCallInfo call)
{
	const core::SmsSegments segments =
		core::sms_segments(pg::to_utf8(pg::text_argument(call, 0)).value_or(""));
	return Int32GetDatum(segments.is_gsm ? segments.count : -segments.count);
}

// Small functions that compiled templates call.

template <std::string (*Convert)(std::string_view)> Datum convert(FunctionCallInfo call)
{
	return pg::text_result(Convert(pg::text_argument(call, 0)));
}

Datum now(FunctionCallInfo)
{
	return Int64GetDatum(pg::present());
}

Datum system_identifier(FunctionCallInfo)
{
	return Int64GetDatum(pg::system_identifier());
}

Datum database(FunctionCallInfo)
{
	return pg::this_database();
}

Datum set_back(FunctionCallInfo call)
{
	return pg::text_result_or_null(
		call, pg::set_back_since(static_cast<std::uint64_t>(pg::datum_argument(call, 0))));
}

Datum base(FunctionCallInfo)
{
	return Int64GetDatum(pg::base());
}

} // namespace

} // namespace automation

PG_ENTRY(automation_call, automation::pg::call_as_extension_owner);
PG_ENTRY(automation_delivery_state, automation::pg::delivery_state);
PG_ENTRY(automation_may_send_again, automation::pg::may_send_again);
PG_ENTRY(automation_check_delivery, automation::pg::check_delivery);
PG_ENTRY(automation_capture, automation::capture);
PG_ENTRY(automation_truncated, automation::truncated);
PG_ENTRY(automation_fire_rule, automation::fire_rule);
PG_ENTRY(automation_took, automation::took);
PG_ENTRY(automation_tick, automation::tick);
PG_ENTRY(automation_next_due, automation::next_due);
PG_ENTRY(automation_write_step, automation::write_step);
PG_ENTRY(automation_advance, automation::advance);
PG_ENTRY(automation_set_clock, automation::set_clock);
PG_ENTRY(
	automation_rules_changed, automation::perform<automation::pg::announce_change_of_definitions>);
PG_ENTRY(automation_table_changed, automation::pg::announce_change_of_table);
PG_ENTRY(automation_whatif, automation::engine::whatif);
PG_ENTRY(automation_watch, automation::engine::watch);
PG_ENTRY(automation_test_rule, automation::engine::test_rule);
PG_ENTRY(automation_is_own, automation::pg::is_own);
PG_ENTRY(automation_template_sql, automation::template_sql);
PG_ENTRY(automation_rewrite_links, automation::rewrite_links);
PG_ENTRY(automation_check_condition, automation::check_condition);
PG_ENTRY(automation_check_expression, automation::check_expression);
PG_ENTRY(automation_check_recipient, automation::check_recipient);
PG_ENTRY(automation_check_header, automation::check_header);
PG_ENTRY(automation_fields, automation::pg::fields);
PG_ENTRY(automation_conjuncts, automation::pg::conjuncts);
PG_ENTRY(automation_ask, automation::ask);
PG_ENTRY(automation_act, automation::act);
PG_ENTRY(automation_act_for, automation::act_for);
PG_ENTRY(automation_matches, automation::matches);
PG_ENTRY(automation_copy_compiled, automation::pg::copy_compiled);
PG_ENTRY(automation_obstacle, automation::obstacle);
PG_ENTRY(automation_index_key, automation::index_key);
PG_ENTRY(automation_holds, automation::holds);
PG_ENTRY(automation_validate_options, automation::pg::validate_options);
PG_ENTRY(automation_map_public, automation::map_public);
PG_ENTRY(automation_has_twilio_signature, automation::has_twilio_signature);
PG_ENTRY(automation_sms_segments, automation::sms_segments);
PG_ENTRY(automation_wake_worker, automation::perform<automation::pg::wake_worker_at_commit>);
PG_ENTRY(automation_require_worker, automation::perform<automation::pg::require_preload>);
PG_ENTRY(automation_wake_launcher, automation::perform<automation::pg::wake_launcher_at_commit>);
PG_ENTRY(automation_channel_figures, automation::pg::channel_figures_of_worker);
PG_ENTRY(automation_worker_figures, automation::pg::worker_figures_of_worker);
PG_ENTRY(automation_suggest, automation::suggest);
PG_ENTRY(automation_changed, automation::pg::changed);
PG_ENTRY(automation_object, automation::pg::object);
PG_ENTRY(automation_now, automation::now);
PG_ENTRY(automation_base, automation::base);
PG_ENTRY(automation_system_identifier, automation::system_identifier);
PG_ENTRY(automation_database, automation::database);
PG_ENTRY(automation_set_back, automation::set_back);
PG_ENTRY(automation_local_instant, automation::pg::local_instant);
PG_ENTRY(automation_add, automation::pg::add_to_instant);
PG_ENTRY(automation_named_zone, automation::pg::named_zone);
PG_ENTRY(automation_check_zone, automation::pg::check_zone);
PG_ENTRY(automation_schedule, automation::pg::schedule);
PG_ENTRY(automation_check_cron, automation::pg::check_cron);
PG_ENTRY(automation_cron_next, automation::pg::cron_next);
PG_ENTRY(automation_recur_next, automation::pg::recur_next);
PG_ENTRY(automation_cluster_zone, automation::pg::cluster_zone);
PG_ENTRY(automation_html_escape, automation::convert<automation::core::html_escape>);
PG_ENTRY(automation_one_line, automation::convert<automation::core::one_line>);
PG_ENTRY(automation_url_encode, automation::convert<automation::core::url_encode>);
PG_ENTRY(automation_phone_e164, automation::convert<automation::core::normalize_phone_number>);

void automation_launcher_main(Datum argument)
{
	automation::pg::enter_worker<automation::worker::launcher_main>(argument);
}

void automation_worker_main(Datum argument)
{
	automation::pg::enter_worker<automation::worker::worker_main>(argument);
}

void _PG_init(void)
{
	automation::pg::find_faults();
	automation::pg::define_settings();
	automation::pg::follow_definitions();
	automation::pg::follow_rollbacks(automation::engine::Cascade::forget);
	automation::pg::follow_rollbacks(automation::engine::forget_events);
	automation::pg::follow_ends(automation::engine::forget_for_commit);
	automation::pg::before_commit(automation::pg::enter_worker<automation::conclude_transaction>);
	automation::pg::gather_by_statements();
	automation::pg::share_workers();
	automation::pg::make_way_for_database_ddl();
	automation::pg::remember_cluster_zone();
}
