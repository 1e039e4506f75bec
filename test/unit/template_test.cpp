#include "core/template.hpp"

#include "crm_fields.hpp"
#include "failure_of.hpp"

using namespace automation::core;

namespace {

std::string own_text(const Template &source)
{
	std::string text;
	for (const Node &node : source.nodes) {
		const auto *own = std::get_if<std::string>(&node.content);
		text += own ? *own : "*";
	}
	return text;
}

std::string refusal_of(std::string_view text)
{
	return report(failure_of([&] { parse_template(text); }));
}

std::string fields_of(std::string_view text)
{
	std::string list;
	for (const Path &path : parse_template(text).fields)
		list += to_string(path) + '@' + std::to_string(path.position) + ' ';
	return list;
}

std::string repeat(std::string_view text, std::size_t times)
{
	std::string result;
	for (std::size_t i = 0; i < times; ++i)
		result += text;
	return result;
}

} // namespace

TEST(Template, KnowsWhetherThereIsAnythingToCompile)
{
	EXPECT_TRUE(has_tags("Hi {{ name }}"));
	EXPECT_TRUE(has_tags("{{% if"));
	EXPECT_TRUE(has_tags("{%"));
	EXPECT_FALSE(has_tags("{ { name }} {x} %} {"));
	EXPECT_FALSE(has_tags(""));
}

TEST(Template, LeavesItsOwnTextAsItIs)
{
	EXPECT_EQ(own_text(parse_template("")), "");
	EXPECT_EQ(
		own_text(parse_template("a } b }} c { d %} 100% \\ ' é")), "a } b }} c { d %} 100% \\ ' é");
	EXPECT_EQ(own_text(parse_template(" Hi {{ name }} !\n")), " Hi * !\n");
}

TEST(Template, TrimsWhereADashAsksForIt)
{
	EXPECT_EQ(own_text(parse_template("a \n {{- name -}} \t\n b {{ name }} c")), "a*b * c");
	EXPECT_EQ(own_text(parse_template("a {{- name }} b")), "a* b");
	EXPECT_EQ(own_text(parse_template("a {%- if vip -%} b {%- endif -%} c")), "a*c");
	const Template source = parse_template("{% if vip -%} b {%- endif %}");
	const auto &choice = std::get<Choice>(source.nodes[0].content);
	EXPECT_EQ(own_text({choice.branches[0].body, {}}), "b");
}

TEST(Template, ReadsAMergeTag)
{
	const Template source =
		parse_template("{{customer[\"First Name\"]|default:'you'|truncate: 10, \"…\"}}");
	const auto &tag = std::get<Output>(source.nodes[0].content);
	EXPECT_EQ(tag.value.path.names, (std::vector<std::string>{"customer", "First Name"}));
	ASSERT_EQ(tag.filters.size(), 2u);
	EXPECT_EQ(tag.filters[0].name, "default");
	EXPECT_EQ(tag.filters[0].arguments[0].literal, "you");
	EXPECT_EQ(tag.filters[1].name, "truncate");
	EXPECT_EQ(tag.filters[1].arguments[0].kind, Operand::Kind::number);
	EXPECT_EQ(tag.filters[1].arguments[1].literal, "…");
}

TEST(Template, LetsQuotedTextHoldBraces)
{
	const Template source = parse_template("{{ \"{{ }} {% %}\" }}{{ '\"' }}");
	ASSERT_EQ(source.nodes.size(), 2u);
	EXPECT_EQ(std::get<Output>(source.nodes[0].content).value.literal, "{{ }} {% %}");
	EXPECT_EQ(std::get<Output>(source.nodes[1].content).value.literal, "\"");
}

TEST(Template, ReadsABranchedText)
{
	const Template source = parse_template("{% if new.amount >= 10 and vip or name contains 'x' "
										   "%}a{% elsif vip == true %}b{% else %}c{% endif %}");
	ASSERT_EQ(source.nodes.size(), 1u);
	const auto &choice = std::get<Choice>(source.nodes[0].content);
	ASSERT_EQ(choice.branches.size(), 2u);
	const Condition &first = choice.branches[0].condition;
	ASSERT_EQ(first.terms.size(), 3u);
	EXPECT_EQ(first.terms[0].kind, Comparison::Kind::at_least);
	EXPECT_EQ(first.terms[1].kind, Comparison::Kind::truth);
	EXPECT_EQ(first.terms[2].kind, Comparison::Kind::contains);
	EXPECT_EQ(first.connectives,
		(std::vector{Condition::Connective::conjunction, Condition::Connective::disjunction}));
	EXPECT_EQ(own_text({choice.branches[1].body, {}}), "b");
	EXPECT_EQ(own_text({choice.otherwise, {}}), "c");
}

TEST(Template, ListsItsFieldsWithTheirPlaces)
{
	EXPECT_EQ(
		fields_of("é{{ a.b | default: c }}{% if d == e %}{{ [\"f g\"] }}{% endif %} {{ 'x' }}"),
		"a.b@5 c@20 d@30 e@35 [\"f g\"]@42 ");
	EXPECT_EQ(fields_of("{{ größe }} {{ a[\"b\"] }}"), "größe@4 a.b@16 ");
}

TEST(Template, PointsAtWhatItCannotRead)
{
	const std::string close = " | Close the tag with \"}}\".";
	EXPECT_EQ(refusal_of("Hi {{ name"), "42601 unterminated merge tag" + close + " @4");
	EXPECT_EQ(refusal_of("Hi {{ name, {{ name }}"), "42601 unterminated merge tag" + close + " @4");
	EXPECT_EQ(refusal_of("{{"), "42601 unterminated merge tag" + close + " @1");
	EXPECT_EQ(refusal_of("{{ name }"), "42601 unterminated merge tag" + close + " @1");
	EXPECT_EQ(
		refusal_of("{% if vip }}"), "42601 unterminated merge tag | Close the tag with \"%}\". @1");
	EXPECT_EQ(refusal_of("{{ 'name }}"),
		"42601 unterminated quoted string in merge tag"
		" | Close the string with the quote it begins with. @4");
	EXPECT_EQ(refusal_of("{{ }}"), "42601 syntax error at end of merge tag @4");
	EXPECT_EQ(refusal_of("{{-}}"), "42601 syntax error at end of merge tag @4");
	EXPECT_EQ(refusal_of("é {{ name other }}"), "42601 syntax error at or near \"other\" @11");
	EXPECT_EQ(refusal_of("{{ name | }}"), "42601 syntax error at end of merge tag @11");
	EXPECT_EQ(refusal_of("{{ name | default: }}"), "42601 syntax error at end of merge tag @20");
	EXPECT_EQ(refusal_of("{{ name || 'x' }}"), "42601 syntax error at or near \"|\" @10");
	EXPECT_EQ(refusal_of("{{ a. }}"), "42601 syntax error at end of merge tag @7");
	EXPECT_EQ(refusal_of("{{ a[0] }}"), "42601 syntax error at or near \"0\" @6");
	EXPECT_EQ(refusal_of("{{ a[\"b\" }}"), "42601 syntax error at end of merge tag @10");
	EXPECT_EQ(refusal_of("{{ 1. }}"), "42601 syntax error at or near \".\" @5");
	EXPECT_EQ(refusal_of("{% if a = 1 %}{% endif %}"),
		"42601 syntax error at or near \"=\" | Use \"==\" to compare. @9");
	EXPECT_EQ(refusal_of("{% if %}{% endif %}"), "42601 syntax error at end of merge tag @7");
	EXPECT_EQ(refusal_of("{% if (a) %}{% endif %}"), "42601 syntax error at or near \"(\" @7");
	EXPECT_EQ(refusal_of("{% if a %}{% else if b %}{% endif %}"),
		"42601 syntax error at or near \"if\" @19");
}

TEST(Template, PointsAtBlocksThatDoNotMatch)
{
	EXPECT_EQ(refusal_of("{% for x in y %}"),
		"42601 template tag \"for\" does not exist"
		" | Available tags are if, elsif, else and endif. @4");
	EXPECT_EQ(refusal_of("a{% if vip %}"),
		"42601 template tag \"if\" is not closed | Close it with \"{% endif %}\". @5");
	EXPECT_EQ(refusal_of("{% endif %}"), "42601 template tag has no matching \"if\" @4");
	EXPECT_EQ(refusal_of("{% else %}"), "42601 template tag has no matching \"if\" @4");
	EXPECT_EQ(refusal_of("{% if a %}{% else %}{% else %}{% endif %}"),
		"42601 only \"endif\" can follow template tag \"else\" @24");
	EXPECT_EQ(refusal_of("{% if a %}{% else %}{% elsif b %}{% endif %}"),
		"42601 only \"endif\" can follow template tag \"else\" @24");
}

TEST(Template, HasLimits)
{
	EXPECT_NO_THROW(parse_template(std::string(max_template_size, 'x')));
	EXPECT_EQ(refusal_of(std::string(max_template_size + 1, 'x')),
		"54000 template is too long | Maximum size is 64 kB.");

	const std::string open = "{% if a %}";
	const std::string close = "{% endif %}";
	EXPECT_NO_THROW(parse_template(repeat(open, 8) + repeat(close, 8)));
	EXPECT_EQ(refusal_of(repeat(open, 9) + repeat(close, 9)),
		"54001 template is nested too deeply | Maximum depth is 8. @84");

	EXPECT_NO_THROW(parse_template("{{ a" + repeat("|upcase", 16) + "}}"));
	EXPECT_EQ(refusal_of("{{ a" + repeat("|upcase", 17) + "}}"),
		"54001 merge tag has too many filters | Maximum number of filters is 16. @118");

	EXPECT_NO_THROW(parse_template("{% if a" + repeat(" or a", 99) + " %}{% endif %}"));
	EXPECT_EQ(refusal_of("{% if a" + repeat(" or a", 100) + " %}{% endif %}").substr(0, 42),
		"54001 template condition is too complex | ");
}

TEST(Template, StopsAtTheLargestSize)
{
	const std::string tags = repeat("{{ name }}", max_template_size / 10);
	CrmFields fields;
	const Template source = parse_template(tags);
	EXPECT_EQ(source.fields.size(), max_template_size / 10);
	EXPECT_LT(to_sql(source, fields, Destination::html, "UTC").size(), 1'000'000u);
	EXPECT_EQ(fields.lookups, 1);
}
