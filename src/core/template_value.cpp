#include "core/template_value.hpp"

#include "core/sql_literal.hpp"

#include <fmt/format.h>

#include <utility>

namespace automation::core {
namespace {

// Numbers become numeric: what a float shows depends on extra_float_digits.
std::string typed(const MergeField &field)
{
	if (field.category == Category::text)
		return fmt::format("({})::text", field.sql);
	if (field.category == Category::number)
		return fmt::format("({})::numeric", field.sql);
	return fmt::format("({})", field.sql);
}

Value field_value(const Path &path, Compilation &compilation)
{
	auto known = compilation.fields.find(path.names);
	if (known == compilation.fields.end())
		known = compilation.fields.emplace(path.names, compilation.resolver.resolve(path)).first;
	return {typed(known->second), known->second.category};
}

} // namespace

Value value_of(const Operand &operand, Compilation &compilation)
{
	switch (operand.kind) {
	case Operand::Kind::field:
		return field_value(operand.path, compilation);
	case Operand::Kind::text:
		return {quote_literal(operand.literal) + "::text", Category::text};
	case Operand::Kind::number:
		return {fmt::format("({})::numeric", operand.literal), Category::number};
	case Operand::Kind::boolean:
		return {operand.literal, Category::boolean};
	case Operand::Kind::null:
		break;
	}
	return {"NULL::text", Category::text};
}

Value in_default_collation(Value value)
{
	if (value.category == Category::text)
		value.sql = fmt::format("({} COLLATE pg_catalog.\"default\")", value.sql);
	return value;
}

std::string as_timestamp(const Value &value, const std::string &time_zone)
{
	if (value.category == Category::timestamptz)
		return fmt::format("({} AT TIME ZONE {})", value.sql, time_zone);
	return value.category == Category::date ? value.sql + "::timestamp" : value.sql;
}

std::string as_text(const Value &value, const Compilation &compilation)
{
	switch (value.category) {
	case Category::text:
		return value.sql;
	case Category::number:
	case Category::boolean:
		return value.sql + "::text";
	case Category::date:
		return fmt::format("pg_catalog.to_char({}::timestamp, 'YYYY-MM-DD')", value.sql);
	case Category::timestamp:
	case Category::timestamptz:
		return fmt::format("pg_catalog.to_char({}, 'YYYY-MM-DD HH24:MI')",
			as_timestamp(value, compilation.time_zone));
	case Category::json: // a string without its quotes, null as NULL
		return fmt::format("({} #>> '{{}}')", value.sql);
	case Category::other:
		break;
	}
	return fmt::format("({}::text COLLATE pg_catalog.\"default\")", value.sql);
}

std::string as_jsonb(const Value &value)
{
	if (value.category != Category::timestamptz)
		return fmt::format("pg_catalog.to_jsonb({})", value.sql);
	return fmt::format("pg_catalog.to_jsonb(pg_catalog.to_char({} AT TIME ZONE 'UTC', "
					   "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))",
		value.sql);
}

bool is_temporal(Category category)
{
	return category == Category::date || category == Category::timestamp ||
		category == Category::timestamptz;
}

std::string_view name_of(Category category)
{
	switch (category) {
	case Category::text:
		return "text";
	case Category::number:
		return "number";
	case Category::boolean:
		return "boolean";
	case Category::date:
		return "date";
	case Category::timestamp:
		return "timestamp";
	case Category::timestamptz:
		return "timestamp with time zone";
	case Category::json:
		return "json";
	case Category::other:
		break;
	}
	return "a value of this type";
}

} // namespace automation::core
