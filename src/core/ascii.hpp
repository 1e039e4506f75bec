// Characters as the protocols know them: <cctype> would ask the server's locale.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace automation::core {

constexpr bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr bool is_alphanumeric(char c)
{
	return is_letter(c) || is_digit(c);
}

constexpr bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

constexpr bool is_control(char c)
{
	return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

constexpr bool is_ascii(char c)
{
	return static_cast<unsigned char>(c) < 0x80;
}

constexpr char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string lower(std::string_view text)
{
	std::string result(text);
	std::ranges::transform(result, result.begin(), [](char c) { return lower(c); });
	return result;
}

} // namespace automation::core
