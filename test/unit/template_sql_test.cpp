#include "core/template.hpp"

#include "crm_fields.hpp"
#include "failure_of.hpp"

using namespace automation::core;

namespace {

std::string sql(std::string_view text, Destination destination = Destination::text)
{
	CrmFields fields;
	return to_sql(parse_template(text), fields, destination, "Europe/Berlin");
}

// What stands between "(CASE WHEN (" and the rest.
std::string condition(std::string_view text)
{
	const std::string whole = sql("{% if " + std::string(text) + " %}y{% endif %}");
	const std::string before = "(CASE WHEN (";
	const std::string after = ") THEN 'y'::text ELSE ''::text END)";
	EXPECT_TRUE(whole.starts_with(before) && whole.ends_with(after)) << whole;
	return whole.substr(before.size(), whole.size() - before.size() - after.size());
}

std::string refusal_of(std::string_view text)
{
	return report(failure_of([&] { sql(text); }));
}

const std::string name = "((r.name)::text COLLATE pg_catalog.\"default\")";

} // namespace

TEST(TemplateSql, QuotesOwnText)
{
	EXPECT_EQ(sql(""), "''::text");
	EXPECT_EQ(sql("it's"), "'it''s'::text");
	EXPECT_EQ(sql("a\\'b"), "E'a\\\\''b'::text");
	EXPECT_EQ(sql("{{ \"{{\" }}"), "COALESCE(('{{'::text COLLATE pg_catalog.\"default\"), '')");
}

TEST(TemplateSql, EscapesByDestination)
{
	const std::string hi = "Hi {{ name }}";
	EXPECT_EQ(sql(hi), "('Hi '::text || COALESCE(" + name + ", ''))");
	EXPECT_EQ(sql(hi, Destination::html),
		"('Hi '::text || COALESCE(automation.html_escape(" + name + "), ''))");
	EXPECT_EQ(sql(hi, Destination::url),
		"('Hi '::text || COALESCE(automation.url_encode(" + name + "), ''))");
	EXPECT_EQ(sql(hi, Destination::line), "automation.one_line(" + sql(hi) + ")");
	EXPECT_EQ(sql(hi, Destination::address), "('Hi '::text || " + name + ")");
	EXPECT_EQ(sql(hi, Destination::json), "pg_catalog.to_jsonb(" + sql(hi) + ")");
}

TEST(TemplateSql, EscapesOnceWhenTheTemplateDoesItItself)
{
	EXPECT_EQ(sql("{{ name | escape }}", Destination::html),
		"COALESCE(automation.html_escape(" + name + "), '')");
	EXPECT_EQ(sql("{{ name | url_encode }}", Destination::url),
		"COALESCE(automation.url_encode(" + name + "), '')");
	EXPECT_EQ(sql("{{ name | escape | upcase }}", Destination::html),
		"COALESCE(automation.html_escape(pg_catalog.upper(automation.html_escape(" + name +
			"))), '')");
	EXPECT_EQ(sql("{{ name | escape }}", Destination::url),
		"COALESCE(automation.url_encode(automation.html_escape(" + name + ")), '')");
}

TEST(TemplateSql, ShowsEachTypeTheSameWayInEverySession)
{
	EXPECT_EQ(sql("{{ new.amount }}"), "COALESCE((new.amount)::numeric::text, '')");
	EXPECT_EQ(sql("{{ vip }}"), "COALESCE((new.vip)::text, '')");
	EXPECT_EQ(
		sql("{{ due }}"), "COALESCE(pg_catalog.to_char((new.due)::timestamp, 'YYYY-MM-DD'), '')");
	EXPECT_EQ(sql("{{ planned_at }}"),
		"COALESCE(pg_catalog.to_char((new.planned_at), 'YYYY-MM-DD HH24:MI'), '')");
	EXPECT_EQ(sql("{{ created_at }}"),
		"COALESCE(pg_catalog.to_char(((new.created_at) AT TIME ZONE "
		"'Europe/Berlin'), 'YYYY-MM-DD HH24:MI'), '')");
	EXPECT_EQ(sql("{{ data }}"), "COALESCE(((new.data) #>> '{}'), '')");
	EXPECT_EQ(
		sql("{{ status }}"), "COALESCE(((new.status)::text COLLATE pg_catalog.\"default\"), '')");
	EXPECT_EQ(sql("{{ nil }}{{ -1.5 }}"),
		"(COALESCE((NULL::text COLLATE pg_catalog.\"default\"), '') || "
		"COALESCE((-1.5)::numeric::text, ''))");
}

TEST(TemplateSql, KeepsTheTypeOfALoneTagInJson)
{
	const auto json = [](std::string_view text) { return sql(text, Destination::json); };
	EXPECT_EQ(json("{{ new.amount }}"), "pg_catalog.to_jsonb((new.amount)::numeric)");
	EXPECT_EQ(json("{{ vip }}"), "pg_catalog.to_jsonb((new.vip))");
	EXPECT_EQ(json("{{ data }}"), "pg_catalog.to_jsonb((new.data))");
	EXPECT_EQ(json("{{ new.amount | default: 0 }}"),
		"pg_catalog.to_jsonb(COALESCE((new.amount)::numeric, (0)::numeric))");
	EXPECT_EQ(json("{{ created_at }}"),
		"pg_catalog.to_jsonb(pg_catalog.to_char((new.created_at) AT TIME ZONE 'UTC', "
		"'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))");
	EXPECT_EQ(
		json(" {{ vip }}"), "pg_catalog.to_jsonb((' '::text || COALESCE((new.vip)::text, '')))");
	EXPECT_EQ(json("constant"), "pg_catalog.to_jsonb('constant'::text)");
}

TEST(TemplateSql, KeepsLongTextsShallow)
{
	std::string text;
	for (int i = 0; i < 1024; ++i)
		text += "{{ vip }}";
	const std::string compiled = sql(text);
	EXPECT_TRUE(compiled.starts_with("((((((((((COALESCE")) << compiled.substr(0, 40);
}

TEST(TemplateSql, ComparesAsLiquidDoes)
{
	EXPECT_EQ(condition("vip"), "(new.vip)");
	EXPECT_EQ(condition("name"), "((r.name)::text <> '')");
	EXPECT_EQ(condition("new.amount"), "((new.amount)::numeric IS NOT NULL)");
	EXPECT_EQ(condition("data"), "(((new.data) #>> '{}') IS NOT NULL)");
	EXPECT_EQ(condition("name == 'x'"), "((r.name)::text IS NOT DISTINCT FROM 'x'::text)");
	EXPECT_EQ(condition("name <> 'x'"), "((r.name)::text IS DISTINCT FROM 'x'::text)");
	EXPECT_EQ(condition("new.amount < -5"), "((new.amount)::numeric < (-5)::numeric)");
	EXPECT_EQ(condition("5 >= new.amount"), "((5)::numeric >= (new.amount)::numeric)");
	EXPECT_EQ(condition("vip != false"), "((new.vip) IS DISTINCT FROM false)");
	EXPECT_EQ(condition("name == nil"), "((r.name)::text IS NULL)");
	EXPECT_EQ(condition("nil != data"), "(((new.data) #>> '{}') IS NOT NULL)");
	EXPECT_EQ(condition("name == status"),
		"(" + name + " IS NOT DISTINCT FROM ((new.status)::text COLLATE pg_catalog.\"default\"))");
	EXPECT_EQ(condition("name contains 'x'"),
		"(pg_catalog.strpos(" + name + ", ('x'::text COLLATE pg_catalog.\"default\")) > 0)");
	EXPECT_EQ(condition("data contains 'x'"),
		"pg_catalog.jsonb_exists(pg_catalog.to_jsonb((new.data)), "
		"('x'::text COLLATE pg_catalog.\"default\"))");
}

TEST(TemplateSql, ComparesInstantsOnTheClockOfTheTimeZone)
{
	EXPECT_EQ(condition("due < '2026-03-01'"), "((new.due)::timestamp < '2026-03-01'::timestamp)");
	EXPECT_EQ(condition("'2026-03-01T09:30' <= created_at"),
		"('2026-03-01T09:30'::timestamp <= ((new.created_at) AT TIME ZONE 'Europe/Berlin'))");
	EXPECT_EQ(condition("planned_at == '2026-03-01 09:30:59'"),
		"((new.planned_at) IS NOT DISTINCT FROM '2026-03-01 09:30:59'::timestamp)");
	EXPECT_EQ(condition("created_at > created_at"), "((new.created_at) > (new.created_at))");
	EXPECT_EQ(condition("created_at > due"),
		"(((new.created_at) AT TIME ZONE 'Europe/Berlin') > (new.due)::timestamp)");
}

TEST(TemplateSql, GroupsFromTheRight)
{
	const std::string n = "((r.name)::text <> '')";
	EXPECT_EQ(condition("vip and vip and vip"), "(new.vip) AND (new.vip) AND (new.vip)");
	EXPECT_EQ(condition("vip and vip or name"), "(new.vip) AND ((new.vip) OR " + n + ")");
	EXPECT_EQ(condition("vip or vip and name"), "(new.vip) OR ((new.vip) AND " + n + ")");
	EXPECT_EQ(condition("vip or vip and vip or vip or name"),
		"(new.vip) OR ((new.vip) AND ((new.vip) OR (new.vip) OR " + n + "))");
}

TEST(TemplateSql, TakesBranches)
{
	EXPECT_EQ(sql("{% if vip %}a{% elsif name %}b{% else %}{{ vip }}{% endif %}"),
		"(CASE WHEN ((new.vip)) THEN 'a'::text WHEN (((r.name)::text <> '')) THEN 'b'::text "
		"ELSE COALESCE((new.vip)::text, '') END)");
}

TEST(TemplateSql, RefusesComparisonsThatCannotHold)
{
	const std::string hint = " | Write texts in quotes, numbers without.";
	EXPECT_EQ(refusal_of("{% if new.amount == '5' %}{% endif %}"),
		"42804 cannot compare number with text" + hint + " @7");
	EXPECT_EQ(refusal_of("{% if name == 5 %}{% endif %}"),
		"42804 cannot compare text with number" + hint + " @7");
	EXPECT_EQ(refusal_of("{% if due < 5 %}{% endif %}"),
		"42804 cannot compare date with number" + hint + " @7");
	EXPECT_EQ(refusal_of("{% if created_at == name %}{% endif %}"),
		"42804 cannot compare timestamp with time zone with text" + hint + " @7");
	EXPECT_EQ(refusal_of("{% if new.amount contains '5' %}{% endif %}"),
		"42804 cannot compare number with text" + hint + " @7");
	EXPECT_EQ(refusal_of("{% if name < nil %}{% endif %}"),
		"42804 nil can only be compared with \"==\" and \"!=\" @7");
	for (const std::string date :
		{"tomorrow", "2026-3-1", "01.03.2026", "2026-03-01 9:30", "20260301xx"})
		EXPECT_EQ(refusal_of("{% if due < '" + date + "' %}{% endif %}"),
			"22007 invalid date \"" + date +
				"\" in template"
				" | Use the form \"YYYY-MM-DD\" or \"YYYY-MM-DD HH:MM\". @13");
}

TEST(TemplateSql, PassesOnWhatTheResolverSays)
{
	EXPECT_EQ(refusal_of("Hi {{ new.frist_name }}"),
		"42703 merge field \"new.frist_name\" does not exist @7");
}
