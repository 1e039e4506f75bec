#include "core/template_filter.hpp"

#include "core/date_format.hpp"
#include "core/failure.hpp"
#include "core/number_format.hpp"
#include "core/sql_literal.hpp"
#include "core/suggestion.hpp"
#include "core/template_call.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

namespace automation::core {
namespace {

Value text_value(std::string sql)
{
	return {std::move(sql), Category::text};
}

Value number_value(std::string sql)
{
	return {std::move(sql), Category::number};
}

// What stands in for NULL and for an empty text.  The value keeps its type when both have the same.
Value fallback(const Call &call)
{
	const Value other = in_default_collation(value_of(call.filter.arguments[0], call.compilation));
	const Category category = call.input.category;
	if (category == Category::json && other.category == Category::json)
		return {fmt::format("COALESCE({}, {})", as_jsonb(call.input), as_jsonb(other)), category};
	if (category == other.category && category != Category::text && category != Category::other)
		return {fmt::format("COALESCE({}, {})", call.input.sql, other.sql), category};
	return text_value(
		fmt::format("COALESCE(NULLIF({}, ''), {})", call.text(), as_text(other, call.compilation)));
}

Value upcase(const Call &call)
{
	return text_value(fmt::format("pg_catalog.upper({})", call.text()));
}

Value downcase(const Call &call)
{
	return text_value(fmt::format("pg_catalog.lower({})", call.text()));
}

Value capitalize(const Call &call)
{
	return text_value(fmt::format("automation.capitalize({})", call.text()));
}

Value strip(const Call &call)
{
	return text_value(fmt::format("pg_catalog.btrim({}, E' \\t\\n\\x0b\\f\\r')", call.text()));
}

Value truncate(const Call &call)
{
	const int length = call.integer(0, 1, static_cast<int>(max_template_size));
	const std::string ellipsis = call.size() > 1 ? call.constant(1) : "'...'";
	return text_value(
		fmt::format("automation.truncate({}, {}, {})", call.text(), length, ellipsis));
}

Value replace(const Call &call)
{
	return text_value(fmt::format(
		"pg_catalog.replace({}, {}, {})", call.text(), call.constant(0), call.constant(1)));
}

// A date has no zone to come from.
[[noreturn]] void fail_zoneless(const Call &call)
{
	throw Failure("42804",
		fmt::format("filter \"date\" cannot apply a time zone to {}", name_of(call.input.category)),
		{.hint = "Leave out its second argument.", .position = call.filter.position});
}

Value date(const Call &call)
{
	if (!is_temporal(call.input.category))
		call.reject();
	const Operand &format = call.argument(0, Operand::Kind::text);
	std::string zone = call.compilation.time_zone;
	if (call.size() > 1) {
		if (call.input.category != Category::timestamptz)
			fail_zoneless(call);
		zone = call.constant(1);
		call.compilation.resolver.check_time_zone(call.filter.arguments[1].literal);
	}
	return text_value(fmt::format("pg_catalog.to_char({}, {})", as_timestamp(call.input, zone),
		quote_literal(to_char_format(format.literal, format.position))));
}

Value number(const Call &call)
{
	call.require(Category::number);
	return text_value(number_sql(call.input.sql, call.integer(0, 0, max_decimals)));
}

Value currency(const Call &call)
{
	call.require(Category::number);
	const std::string_view name =
		call.size() > 0 ? call.argument(0, Operand::Kind::text).literal : std::string_view();
	return text_value(currency_sql(call.input.sql, name));
}

Value arithmetic(const Call &call, char symbol)
{
	call.require(Category::number);
	return number_value(fmt::format("({} {} ({})::numeric)", call.input.sql, symbol,
		call.argument(0, Operand::Kind::number).literal));
}

Value plus(const Call &call)
{
	return arithmetic(call, '+');
}

Value minus(const Call &call)
{
	return arithmetic(call, '-');
}

Value times(const Call &call)
{
	return arithmetic(call, '*');
}

Value escape(const Call &call)
{
	return {
		fmt::format("automation.html_escape({})", call.text()), Category::text, Value::Form::html};
}

Value url_encode(const Call &call)
{
	return {
		fmt::format("automation.url_encode({})", call.text()), Category::text, Value::Form::url};
}

Value json(const Call &call)
{
	return text_value(fmt::format("COALESCE({}::text, 'null')", as_jsonb(call.input)));
}

Value phone_e164(const Call &call)
{
	return text_value(fmt::format("automation.phone_e164({})", call.text()));
}

struct Definition {
	std::string_view name;
	std::size_t least; // arguments
	std::size_t most;
	Value (*apply)(const Call &);
};

constexpr Definition definitions[] = {
	{"default", 1, 1, fallback},
	{"upcase", 0, 0, upcase},
	{"downcase", 0, 0, downcase},
	{"capitalize", 0, 0, capitalize}, // the first letter up, the others down
	{"strip", 0, 0, strip},
	{"truncate", 1, 2, truncate}, // to so many characters, the ellipsis (second argument) included
	{"replace", 2, 2, replace},
	{"date", 1, 2, date},		  // format, time zone
	{"number", 1, 1, number},	  // decimals
	{"currency", 0, 1, currency}, // code or symbol
	{"plus", 1, 1, plus},
	{"minus", 1, 1, minus},
	{"times", 1, 1, times},
	{"escape", 0, 0, escape},
	{"url_encode", 0, 0, url_encode},
	{"json", 0, 0, json},
	{"phone_e164", 0, 0, phone_e164},
};

[[noreturn]] void fail_unknown(const Filter &filter)
{
	std::vector<std::string_view> names;
	for (const Definition &definition : definitions)
		names.push_back(definition.name);
	const std::optional<std::string> meant = closest(filter.name, names);
	throw Failure("42883", fmt::format("template filter \"{}\" does not exist", filter.name),
		{.hint = meant ? fmt::format("Perhaps you meant the filter \"{}\".", *meant)
					   : fmt::format("Available filters are {}.", fmt::join(names, ", ")),
			.position = filter.position});
}

const Definition &definition_of(const Filter &filter)
{
	for (const Definition &definition : definitions) {
		if (definition.name == filter.name)
			return definition;
	}
	fail_unknown(filter);
}

[[noreturn]] void fail_arguments(const Filter &filter, const Definition &definition)
{
	const auto count = [](std::size_t n) {
		return fmt::format("{} argument{}", n == 0 ? "no" : std::to_string(n), n == 1 ? "" : "s");
	};
	const bool too_few = filter.arguments.size() < definition.least;
	throw Failure("42883",
		too_few ? fmt::format("filter \"{}\" requires {}", filter.name, count(definition.least))
				: fmt::format("filter \"{}\" takes {}{}", filter.name,
					  definition.most > definition.least ? "at most " : "", count(definition.most)),
		{.position = filter.position});
}

} // namespace

Value apply_filter(const Filter &filter, const Value &input, Compilation &compilation)
{
	const Definition &definition = definition_of(filter);
	const std::size_t count = filter.arguments.size();
	if (count < definition.least || count > definition.most)
		fail_arguments(filter, definition);
	return definition.apply({filter, input, compilation});
}

} // namespace automation::core
