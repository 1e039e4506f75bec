#include "core/template.hpp"

#include "crm_fields.hpp"
#include "failure_of.hpp"

using namespace automation::core;

namespace {

// The SQL of one tag, as it is before NULL becomes an empty text.
std::string sql(const std::string &tag)
{
	CrmFields fields;
	return to_sql(parse_template("{{ " + tag + " }}"), fields, Destination::address, "UTC");
}

std::string refusal_of(const std::string &tag)
{
	return report(failure_of([&] { sql(tag); }));
}

const std::string name = "((r.name)::text COLLATE pg_catalog.\"default\")";

} // namespace

TEST(TemplateFilter, CallsTheFunctionsOfPostgres)
{
	EXPECT_EQ(sql("name | upcase"), "pg_catalog.upper(" + name + ")");
	EXPECT_EQ(sql("name | downcase"), "pg_catalog.lower(" + name + ")");
	EXPECT_EQ(sql("name | capitalize"), "automation.capitalize(" + name + ")");
	EXPECT_EQ(sql("name | strip"), "pg_catalog.btrim(" + name + ", E' \\t\\n\\x0b\\f\\r')");
	EXPECT_EQ(sql("name | truncate: 9"), "automation.truncate(" + name + ", 9, '...')");
	EXPECT_EQ(sql("name | truncate: 9, ''"), "automation.truncate(" + name + ", 9, '')");
	EXPECT_EQ(
		sql("name | replace: \"'\", '\\'"), "pg_catalog.replace(" + name + ", '''', E'\\\\')");
	EXPECT_EQ(sql("name | phone_e164"), "automation.phone_e164(" + name + ")");
	EXPECT_EQ(sql("name | escape"), "automation.html_escape(" + name + ")");
	EXPECT_EQ(sql("name | url_encode"), "automation.url_encode(" + name + ")");
	EXPECT_EQ(sql("vip | upcase"), "pg_catalog.upper((new.vip)::text)");
	EXPECT_EQ(sql("name | json"), "COALESCE(pg_catalog.to_jsonb(" + name + ")::text, 'null')");
}

TEST(TemplateFilter, FallsBackForNullAndEmpty)
{
	EXPECT_EQ(sql("name | default: 'x'"),
		"COALESCE(NULLIF(" + name + ", ''), ('x'::text COLLATE pg_catalog.\"default\"))");
	EXPECT_EQ(sql("name | default: customer.first_name"),
		"COALESCE(NULLIF(" + name + ", ''), " + name + ")");
	EXPECT_EQ(sql("new.amount | default: 'none'"),
		"COALESCE(NULLIF((new.amount)::numeric::text, ''), ('none'::text COLLATE "
		"pg_catalog.\"default\"))");
	EXPECT_EQ(sql("data | default: data"),
		"(COALESCE(pg_catalog.to_jsonb((new.data)), pg_catalog.to_jsonb((new.data))) #>> '{}')");
	EXPECT_EQ(sql("created_at | default: created_at | date: '%Y'"),
		"pg_catalog.to_char((COALESCE((new.created_at), (new.created_at)) AT TIME ZONE 'UTC'), "
		"'\"\"YYYY')");
}

TEST(TemplateFilter, ShowsInstantsInATimeZone)
{
	EXPECT_EQ(sql("due | date: '%d.'"), "pg_catalog.to_char((new.due)::timestamp, '\"\"DD\".\"')");
	EXPECT_EQ(sql("planned_at | date: '%H'"), "pg_catalog.to_char((new.planned_at), '\"\"HH24')");
	EXPECT_EQ(sql("created_at | date: '%H'"),
		"pg_catalog.to_char(((new.created_at) AT TIME ZONE 'UTC'), '\"\"HH24')");
	EXPECT_EQ(sql("created_at | date: '%H', 'Europe/Berlin'"),
		"pg_catalog.to_char(((new.created_at) AT TIME ZONE 'Europe/Berlin'), '\"\"HH24')");
	EXPECT_EQ(refusal_of("created_at | date: '%H', 'Mars/Phobos'"),
		"22023 time zone \"Mars/Phobos\" not recognized");
	EXPECT_EQ(refusal_of("due | date: '%H', 'Europe/Berlin'"),
		"42804 filter \"date\" cannot apply a time zone to date"
		" | Leave out its second argument. @10");
}

TEST(TemplateFilter, Calculates)
{
	EXPECT_EQ(sql("new.amount | plus: 1"), "((new.amount)::numeric + (1)::numeric)::text");
	EXPECT_EQ(sql("new.amount | minus: -1"), "((new.amount)::numeric - (-1)::numeric)::text");
	EXPECT_EQ(sql("new.amount | times: 1.19 | times: 2"),
		"(((new.amount)::numeric * (1.19)::numeric) * (2)::numeric)::text");
}

TEST(TemplateFilter, RefusesUnknownNames)
{
	EXPECT_EQ(refusal_of("name | upcsae"),
		"42883 template filter \"upcsae\" does not exist | Perhaps you meant the filter "
		"\"upcase\". @11");
	EXPECT_EQ(refusal_of("name | titlecase"),
		"42883 template filter \"titlecase\" does not exist"
		" | Available filters are default, upcase, downcase, capitalize, strip, truncate, replace, "
		"date,"
		" number, currency, plus, minus, times, escape, url_encode, json, phone_e164. @11");
}

TEST(TemplateFilter, CountsArguments)
{
	EXPECT_EQ(refusal_of("due | date"), "42883 filter \"date\" requires 1 argument @10");
	EXPECT_EQ(refusal_of("due | date: 'a', 'b', 'c'"),
		"42883 filter \"date\" takes at most 2 arguments @10");
	EXPECT_EQ(
		refusal_of("name | replace: 'a'"), "42883 filter \"replace\" requires 2 arguments @11");
	EXPECT_EQ(refusal_of("name | replace: 'a', 'b', 'c'"),
		"42883 filter \"replace\" takes 2 arguments @11");
	EXPECT_EQ(refusal_of("name | upcase: 'a'"), "42883 filter \"upcase\" takes no arguments @11");
	EXPECT_EQ(refusal_of("new.amount | currency: 'a', 'b'"),
		"42883 filter \"currency\" takes at most 1 argument @17");
}

TEST(TemplateFilter, ChecksArguments)
{
	EXPECT_EQ(refusal_of("name | truncate: 'x'"),
		"22023 argument 1 of filter \"truncate\" must be a number @21");
	for (const std::string number : {"0", "-1", "1.5", "65537", "99999999999999999999"})
		EXPECT_EQ(refusal_of("name | truncate: " + number),
			"22023 argument 1 of filter \"truncate\" must be an integer between 1 and 65536 @21");
	EXPECT_EQ(refusal_of("name | replace: 'x', name"),
		"22023 argument 2 of filter \"replace\" must be a quoted string @25");
	EXPECT_EQ(refusal_of("new.amount | plus: '1'"),
		"22023 argument 1 of filter \"plus\" must be a number @23");
	EXPECT_EQ(refusal_of("due | date: '%Q'"),
		"22023 unrecognized date directive \"%Q\""
		" | Write for example \"%d.%m.%Y %H:%M\", and a percent sign as \"%%\". @16");
}

TEST(TemplateFilter, ChecksWhatItIsAppliedTo)
{
	EXPECT_EQ(
		refusal_of("name | date: '%d'"), "42804 filter \"date\" cannot be applied to text @11");
	EXPECT_EQ(
		refusal_of("name | number: 2"), "42804 filter \"number\" cannot be applied to text @11");
	EXPECT_EQ(
		refusal_of("vip | currency"), "42804 filter \"currency\" cannot be applied to boolean @10");
	EXPECT_EQ(refusal_of("status | times: 2"),
		"42804 filter \"times\" cannot be applied to a value of this type @13");
	EXPECT_EQ(refusal_of("new.amount | number: 2 | plus: 1"),
		"42804 filter \"plus\" cannot be applied to text @29");
}
