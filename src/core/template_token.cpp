#include "core/template_token.hpp"

#include "core/ascii.hpp"

#include <algorithm>

namespace automation::core {
namespace {

// As in SQL: any letter, whatever its alphabet.
bool starts_name(char c)
{
	return is_letter(c) || c == '_' || !is_ascii(c);
}

bool continues_name(char c)
{
	return starts_name(c) || is_digit(c);
}

std::size_t count_while(std::string_view text, bool (*belongs)(char))
{
	return static_cast<std::size_t>(std::ranges::find_if_not(text, belongs) - text.begin());
}

std::size_t count_digits(std::string_view text)
{
	return count_while(text, is_digit);
}

// With its quotes; 0 when no string stands here.
std::size_t string_size(std::string_view text)
{
	if (text.front() != '"' && text.front() != '\'')
		return 0;
	const std::size_t end = text.find(text.front(), 1);
	return end == text.npos ? 0 : end + 1;
}

// "12", "-3.50"; 0 when no number stands here.
std::size_t number_size(std::string_view text)
{
	const std::size_t sign = text.starts_with('-') ? 1 : 0;
	const std::size_t whole = count_digits(text.substr(sign));
	if (whole == 0)
		return 0;
	const std::size_t size = sign + whole;
	const std::size_t decimals =
		text.substr(size).starts_with('.') ? count_digits(text.substr(size + 1)) : 0;
	return decimals == 0 ? size : size + 1 + decimals;
}

std::size_t symbol_size(std::string_view text)
{
	for (const std::string_view symbol : {"==", "!=", "<>", "<=", ">="}) {
		if (text.starts_with(symbol))
			return symbol.size();
	}
	return 1;
}

} // namespace

Token TokenReader::take()
{
	const Token taken = token_;
	advance();
	return taken;
}

Token TokenReader::next(Token::Kind kind, std::size_t size)
{
	const Token token{kind, rest_.substr(0, size)};
	rest_.remove_prefix(size);
	return token;
}

void TokenReader::advance()
{
	while (!rest_.empty() && is_space(rest_.front()))
		rest_.remove_prefix(1);
	if (rest_.empty()) {
		token_ = {Token::Kind::end, rest_};
	} else if (const std::size_t quoted = string_size(rest_)) {
		token_ = next(Token::Kind::string, quoted);
		token_.text = token_.text.substr(1, quoted - 2);
	} else if (starts_name(rest_.front())) {
		token_ = next(Token::Kind::name, count_while(rest_, continues_name));
	} else if (const std::size_t digits = number_size(rest_)) {
		token_ = next(Token::Kind::number, digits);
	} else {
		token_ = next(Token::Kind::symbol, symbol_size(rest_));
	}
}

} // namespace automation::core
