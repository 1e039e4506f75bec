#include "core/sql_literal.hpp"
#include "core/template.hpp"
#include "core/template_condition.hpp"
#include "core/template_filter.hpp"
#include "core/template_value.hpp"

#include <fmt/format.h>

#include <span>

namespace automation::core {
namespace {

class Compiler {
public:
	Compiler(Compilation compilation, Destination destination)
		: compilation_(std::move(compilation)), destination_(destination)
	{
	}

	std::string text(const std::vector<Node> &nodes);
	std::string json(const std::vector<Node> &nodes);

private:
	std::string part(const Node &node);
	std::string output(const Output &output);
	std::string choice(const Choice &choice);
	Value value(const Output &output);

	Compilation compilation_;
	Destination destination_;
};

// Halves keep the tree shallow: PostgreSQL's parser bounds its depth, and each level copies the
// text.
std::string concatenate(std::span<const std::string> parts)
{
	if (parts.empty())
		return "''::text";
	if (parts.size() == 1)
		return parts.front();
	const std::size_t half = parts.size() / 2;
	return fmt::format(
		"({} || {})", concatenate(parts.first(half)), concatenate(parts.subspan(half)));
}

Value Compiler::value(const Output &output)
{
	Value value = in_default_collation(value_of(output.value, compilation_));
	for (const Filter &filter : output.filters)
		value = apply_filter(filter, value, compilation_);
	return value;
}

std::string Compiler::output(const Output &output)
{
	const Value result = value(output);
	std::string text = as_text(result, compilation_);
	if (destination_ == Destination::address)
		return text;
	if (destination_ == Destination::html && result.form != Value::Form::html)
		text = fmt::format("automation.html_escape({})", text);
	if (destination_ == Destination::url && result.form != Value::Form::url)
		text = fmt::format("automation.url_encode({})", text);
	return fmt::format("COALESCE({}, '')", text);
}

std::string Compiler::choice(const Choice &choice)
{
	std::string sql = "(CASE";
	for (const Branch &branch : choice.branches)
		sql += fmt::format(
			" WHEN {} THEN {}", condition_sql(branch.condition, compilation_), text(branch.body));
	return sql + fmt::format(" ELSE {} END)", text(choice.otherwise));
}

std::string Compiler::part(const Node &node)
{
	if (const auto *own = std::get_if<std::string>(&node.content))
		return quote_literal(*own) + "::text";
	if (const auto *tag = std::get_if<Output>(&node.content))
		return output(*tag);
	return choice(std::get<Choice>(node.content));
}

std::string Compiler::text(const std::vector<Node> &nodes)
{
	std::vector<std::string> parts;
	parts.reserve(nodes.size());
	for (const Node &node : nodes)
		parts.push_back(part(node));
	return concatenate(parts);
}

std::string Compiler::json(const std::vector<Node> &nodes)
{
	if (nodes.size() == 1 && std::holds_alternative<Output>(nodes.front().content))
		return as_jsonb(value(std::get<Output>(nodes.front().content)));
	return fmt::format("pg_catalog.to_jsonb({})", text(nodes));
}

} // namespace

std::string to_sql(const Template &source, Resolver &resolver, Destination destination,
	const std::string &time_zone)
{
	Compiler compiler({.resolver = resolver, .time_zone = quote_literal(time_zone)}, destination);
	if (destination == Destination::json)
		return compiler.json(source.nodes);
	std::string sql = compiler.text(source.nodes);
	if (destination != Destination::line)
		return sql;
	return fmt::format("automation.one_line({})", sql);
}

} // namespace automation::core
