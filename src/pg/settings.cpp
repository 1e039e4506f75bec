#include "pg/postgres.hpp"

#include "pg/definitions.hpp"
#include "pg/settings.hpp"

namespace automation::pg {

namespace {

const config_enum_entry delivery_modes[] = {{"on", settings::delivery_on, false},
	{"off", settings::delivery_off, false}, {"simulate", settings::delivery_simulated, false},
	{nullptr, 0, false}};

void define(const char *name, const char *what, bool *value, GucContext context,
	GucBoolAssignHook assigned = nullptr)
{
	DefineCustomBoolVariable(
		name, what, nullptr, value, *value, context, 0, nullptr, assigned, nullptr);
}

struct Range {
	int least;
	int most;
	int unit; // GUC_UNIT_..., 0 for a plain number
};

void define(const char *name, const char *what, int *value, Range range, GucContext context)
{
	DefineCustomIntVariable(name, what, nullptr, value, *value, range.least, range.most, context,
		range.unit, nullptr, nullptr, nullptr);
}

void define(
	const char *name, const char *what, char **value, int flags, GucContext context = PGC_SIGHUP)
{
	DefineCustomStringVariable(
		name, what, nullptr, value, "", context, flags, nullptr, nullptr, nullptr);
}

} // namespace

void define_settings()
{
	constexpr int day = 24 * 60 * 60 * 1'000;

	// The writer's session.
	define("pg_automation.enabled", "Whether writes fire rules in this session.",
		&settings::enabled, PGC_SUSET);
	define("pg_automation.journal",
		"Whether every change of an attached table is noted in automation.event.",
		&settings::journal, PGC_SUSET);
	define("pg_automation.override",
		"Why guards let changes of this session pass, if its role may override them.",
		&settings::override_reason, 0, PGC_USERSET);
	define("pg_automation.max_depth", "How many rules may set each other off in a row.",
		&settings::max_depth, {1, 64, 0}, PGC_SUSET);
	define("pg_automation.max_events_per_transaction",
		"How many matches of rules make a transaction a bulk; 0: none do.",
		&settings::max_events_per_transaction, {0, INT_MAX, 0}, PGC_SUSET);
	define("pg_automation.superuser_rules", "Whether superusers may own rules.",
		&settings::superuser_rules, PGC_SIGHUP, [](bool, void *) { expire_definitions(); });

	// The worker.
	DefineCustomEnumVariable("pg_automation.delivery",
		"Whether messages leave: off holds them all, as a copy of a production database should; "
		"simulate ends them as if they had left.",
		nullptr, &settings::delivery, settings::delivery, delivery_modes, PGC_SIGHUP, 0, nullptr,
		nullptr, nullptr);
	define("pg_automation.databases",
		"Databases that get a worker, separated by commas; empty: all that have the extension.",
		&settings::databases, GUC_LIST_INPUT);
	define("pg_automation.secrets_dir", "Directory of the files that credentials refer to.",
		&settings::secrets_directory, GUC_SUPERUSER_ONLY);
	define("pg_automation.max_in_flight",
		"How many requests may be under way at once per database.", &settings::max_in_flight,
		{1, 1'000, 0}, PGC_SIGHUP);
	define("pg_automation.max_in_flight_per_host", "How many of them may go to one host.",
		&settings::max_in_flight_per_host, {1, 1'000, 0}, PGC_SIGHUP);
	define("pg_automation.poll_interval",
		"How often the worker looks for deliveries that nobody woke it for.",
		&settings::poll_interval, {10, 60'000, GUC_UNIT_MS}, PGC_SIGHUP);
	define("pg_automation.request_timeout", "How long one request may take.",
		&settings::request_timeout, {100, day, GUC_UNIT_MS}, PGC_SIGHUP);
	define("pg_automation.connect_timeout", "How long a connection may take to come about.",
		&settings::connect_timeout, {100, day, GUC_UNIT_MS}, PGC_SIGHUP);

	MarkGUCPrefixReserved("pg_automation");
}

} // namespace automation::pg
