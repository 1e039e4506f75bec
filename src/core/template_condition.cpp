#include "core/template_condition.hpp"

#include "core/ascii.hpp"
#include "core/failure.hpp"
#include "core/sql_literal.hpp"

#include <fmt/format.h>

#include <utility>

namespace automation::core {
namespace {

// What IS NULL when there is no value; null inside of a json column is none either.
std::string presence(const Value &value, const Compilation &compilation)
{
	return value.category == Category::json ? as_text(value, compilation) : value.sql;
}

// A field by itself: neither null nor false nor an empty text.
std::string truth(const Value &value, const Compilation &compilation)
{
	if (value.category == Category::boolean)
		return value.sql;
	if (value.category == Category::text)
		return fmt::format("({} <> '')", value.sql);
	return fmt::format("({} IS NOT NULL)", presence(value, compilation));
}

// NULL equals NULL and differs from everything else, as nil does in Liquid.
std::string_view operator_of(Comparison::Kind kind)
{
	switch (kind) {
	case Comparison::Kind::equal:
		return "IS NOT DISTINCT FROM";
	case Comparison::Kind::not_equal:
		return "IS DISTINCT FROM";
	case Comparison::Kind::less:
		return "<";
	case Comparison::Kind::at_most:
		return "<=";
	case Comparison::Kind::greater:
		return ">";
	default:
		return ">=";
	}
}

// "2026-03-01", "2026-03-01 09:30", with or without seconds: the forms that every DateStyle reads
// alike.
bool is_iso_instant(std::string_view text)
{
	constexpr std::string_view pattern = "0000-00-00 00:00:00";
	if (text.size() != 10 && text.size() != 16 && text.size() != 19)
		return false;
	for (std::size_t i = 0; i < text.size(); ++i) {
		const char c = i == 10 && text[i] == 'T' ? ' ' : text[i];
		if (pattern[i] == '0' ? !is_digit(c) : c != pattern[i])
			return false;
	}
	return true;
}

bool is_textual(Category category)
{
	return category == Category::text || category == Category::json || category == Category::other;
}

[[noreturn]] void fail_mismatch(const Comparison &comparison, const Value &left, const Value &right)
{
	throw Failure("42804",
		fmt::format("cannot compare {} with {}", name_of(left.category), name_of(right.category)),
		{.hint = "Write texts in quotes, numbers without.", .position = comparison.left.position});
}

std::string compare_to_null(const Comparison &comparison, Compilation &compilation)
{
	const bool null_is_left = comparison.left.kind == Operand::Kind::null;
	const Operand &other = null_is_left ? comparison.right : comparison.left;
	const std::string value = presence(value_of(other, compilation), compilation);
	if (comparison.kind == Comparison::Kind::equal)
		return fmt::format("({} IS NULL)", value);
	if (comparison.kind == Comparison::Kind::not_equal)
		return fmt::format("({} IS NOT NULL)", value);
	throw Failure("42804", "nil can only be compared with \"==\" and \"!=\"",
		{.position = comparison.left.position});
}

// A part of a text, or an element (or key) of a json column.
std::string contains(const Comparison &comparison, const Value &left, const Value &right,
	const Compilation &compilation)
{
	if (!is_textual(left.category) || !is_textual(right.category))
		fail_mismatch(comparison, left, right);
	const std::string part = as_text(in_default_collation(right), compilation);
	if (left.category == Category::json)
		return fmt::format("pg_catalog.jsonb_exists({}, {})", as_jsonb(left), part);
	const std::string whole = as_text(in_default_collation(left), compilation);
	return fmt::format("(pg_catalog.strpos({}, {}) > 0)", whole, part);
}

// A constant that stands next to a date or an instant.
Value instant(const Operand &constant)
{
	if (!is_iso_instant(constant.literal))
		throw Failure("22007", fmt::format("invalid date \"{}\" in template", constant.literal),
			{.hint = "Use the form \"YYYY-MM-DD\" or \"YYYY-MM-DD HH:MM\".",
				.position = constant.position});
	return {quote_literal(constant.literal) + "::timestamp", Category::timestamp};
}

struct Sides {
	Value left;
	Value right;
};

Sides sides_of(const Comparison &comparison, Compilation &compilation)
{
	Sides sides{value_of(comparison.left, compilation), value_of(comparison.right, compilation)};
	if (is_temporal(sides.left.category) && comparison.right.kind == Operand::Kind::text)
		sides.right = instant(comparison.right);
	if (is_temporal(sides.right.category) && comparison.left.kind == Operand::Kind::text)
		sides.left = instant(comparison.left);
	return sides;
}

// The two sides as SQL that the operators of PostgreSQL can compare.
std::pair<std::string, std::string> comparable(
	const Comparison &comparison, const Sides &sides, const Compilation &compilation)
{
	const auto &[left, right] = sides;
	if (is_temporal(left.category) && is_temporal(right.category)) {
		if (left.category == right.category)
			return {left.sql, right.sql};
		return {
			as_timestamp(left, compilation.time_zone), as_timestamp(right, compilation.time_zone)};
	}
	if (!is_textual(left.category) || !is_textual(right.category)) {
		if (left.category != right.category)
			fail_mismatch(comparison, left, right);
		return {left.sql, right.sql};
	}
	// With a constant the field's own collation decides, as in SQL; two fields may disagree.
	if (comparison.left.kind != comparison.right.kind)
		return {as_text(left, compilation), as_text(right, compilation)};
	return {as_text(in_default_collation(left), compilation),
		as_text(in_default_collation(right), compilation)};
}

std::string comparison_sql(const Comparison &comparison, Compilation &compilation)
{
	if (comparison.kind == Comparison::Kind::truth)
		return truth(value_of(comparison.left, compilation), compilation);
	if (comparison.left.kind == Operand::Kind::null || comparison.right.kind == Operand::Kind::null)
		return compare_to_null(comparison, compilation);

	const Sides sides = sides_of(comparison, compilation);
	if (comparison.kind == Comparison::Kind::contains)
		return contains(comparison, sides.left, sides.right, compilation);
	const auto [left, right] = comparable(comparison, sides, compilation);
	return fmt::format("({} {} {})", left, operator_of(comparison.kind), right);
}

} // namespace

std::string condition_sql(const Condition &condition, Compilation &compilation)
{
	const std::size_t count = condition.terms.size();
	std::string sql = comparison_sql(condition.terms.back(), compilation);
	for (std::size_t i = count - 1; i-- > 0;) {
		const Condition::Connective connective = condition.connectives[i];
		if (i + 2 < count && condition.connectives[i + 1] != connective)
			sql = fmt::format("({})", sql);
		sql = fmt::format("{} {} {}", comparison_sql(condition.terms[i], compilation),
			connective == Condition::Connective::conjunction ? "AND" : "OR", sql);
	}
	return '(' + sql + ')';
}

} // namespace automation::core
