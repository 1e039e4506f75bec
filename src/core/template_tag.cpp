#include "core/template_tag.hpp"

#include "core/failure.hpp"

#include <fmt/format.h>

#include <optional>

namespace automation::core {
namespace {

std::optional<Operand::Kind> constant_name(const Token &token)
{
	if (token.kind != Token::Kind::name)
		return std::nullopt;
	if (token.text == "true" || token.text == "false")
		return Operand::Kind::boolean;
	if (token.text == "nil" || token.text == "null")
		return Operand::Kind::null;
	return std::nullopt;
}

std::optional<Comparison::Kind> comparison_kind(const Token &token)
{
	struct Spelling {
		std::string_view text;
		Token::Kind token;
		Comparison::Kind kind;
	};
	static constexpr Spelling spellings[] = {
		{"==", Token::Kind::symbol, Comparison::Kind::equal},
		{"!=", Token::Kind::symbol, Comparison::Kind::not_equal},
		{"<>", Token::Kind::symbol, Comparison::Kind::not_equal},
		{"<", Token::Kind::symbol, Comparison::Kind::less},
		{"<=", Token::Kind::symbol, Comparison::Kind::at_most},
		{">", Token::Kind::symbol, Comparison::Kind::greater},
		{">=", Token::Kind::symbol, Comparison::Kind::at_least},
		{"contains", Token::Kind::name, Comparison::Kind::contains},
	};
	for (const Spelling &spelling : spellings) {
		if (token.kind == spelling.token && token.text == spelling.text)
			return spelling.kind;
	}
	return std::nullopt;
}

} // namespace

int TagReader::position()
{
	const Token &token = tokens_.peek();
	const int quote = token.kind == Token::Kind::string ? 1 : 0; // stands before its text
	return positions_.at(token.text.data() - quote);
}

void TagReader::fail_here()
{
	const Token &token = tokens_.peek();
	if (token.kind == Token::Kind::end)
		throw Failure("42601", "syntax error at end of merge tag", {.position = position()});
	Advice advice{.position = position()};
	if (tokens_.at_symbol("="))
		advice.hint = "Use \"==\" to compare.";
	throw Failure("42601", fmt::format("syntax error at or near \"{}\"", token.text), advice);
}

std::string_view TagReader::name()
{
	if (tokens_.peek().kind != Token::Kind::name)
		fail_here();
	return tokens_.take().text;
}

std::string_view TagReader::keyword()
{
	return name();
}

void TagReader::end()
{
	if (tokens_.peek().kind != Token::Kind::end)
		fail_here();
}

Operand TagReader::constant(Operand::Kind kind)
{
	const int where = position();
	return {.kind = kind, .literal = std::string(tokens_.take().text), .position = where};
}

Operand TagReader::operand()
{
	if (const std::optional<Operand::Kind> kind = constant_name(tokens_.peek()))
		return constant(*kind);
	if (tokens_.peek().kind == Token::Kind::string)
		return constant(Operand::Kind::text);
	if (tokens_.peek().kind == Token::Kind::number)
		return constant(Operand::Kind::number);
	return field();
}

// ["First Name"]
void TagReader::subscript(Path &path)
{
	tokens_.take();
	if (tokens_.peek().kind != Token::Kind::string)
		fail_here();
	path.names.emplace_back(tokens_.take().text);
	if (!tokens_.at_symbol("]"))
		fail_here();
	tokens_.take();
}

Operand TagReader::field()
{
	Path path{.names = {}, .position = position()};
	if (tokens_.at_symbol("["))
		subscript(path);
	else
		path.names.emplace_back(name());
	while (tokens_.at_symbol(".") || tokens_.at_symbol("[")) {
		if (tokens_.at_symbol("[")) {
			subscript(path);
			continue;
		}
		tokens_.take();
		path.names.emplace_back(name());
	}
	fields_.push_back(path);
	return {.kind = Operand::Kind::field, .path = path, .position = path.position};
}

Filter TagReader::filter()
{
	Filter filter{.name = {}, .arguments = {}, .position = position()};
	filter.name = name();
	if (!tokens_.at_symbol(":"))
		return filter;
	do {
		tokens_.take();
		filter.arguments.push_back(operand());
	} while (tokens_.at_symbol(","));
	return filter;
}

std::vector<Filter> TagReader::filters()
{
	std::vector<Filter> filters;
	while (tokens_.at_symbol("|")) {
		tokens_.take();
		if (filters.size() == max_filters)
			throw Failure("54001", "merge tag has too many filters",
				{.detail = fmt::format("Maximum number of filters is {}.", max_filters),
					.position = position()});
		filters.push_back(filter());
	}
	return filters;
}

Output TagReader::output()
{
	Output output;
	output.value = operand();
	output.filters = filters();
	end();
	return output;
}

Comparison TagReader::comparison()
{
	Comparison comparison{.left = operand()};
	if (const std::optional<Comparison::Kind> kind = comparison_kind(tokens_.peek())) {
		tokens_.take();
		comparison.kind = *kind;
		comparison.right = operand();
	}
	return comparison;
}

Condition TagReader::condition()
{
	Condition condition;
	condition.terms.push_back(comparison());
	while (tokens_.at_name("and") || tokens_.at_name("or")) {
		if (condition.terms.size() == max_comparisons)
			throw Failure("54001", "template condition is too complex",
				{.detail = fmt::format("Maximum number of comparisons is {}.", max_comparisons),
					.position = position()});
		condition.connectives.push_back(tokens_.take().text == "and"
				? Condition::Connective::conjunction
				: Condition::Connective::disjunction);
		condition.terms.push_back(comparison());
	}
	end();
	return condition;
}

} // namespace automation::core
