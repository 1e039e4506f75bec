#include "core/json.hpp"

#include <algorithm>

namespace automation::core {

namespace {

constexpr std::string_view hexadecimal = "0123456789abcdef";

void append_escaped(std::string &out, char character)
{
	switch (character) {
	case '"':
		out += "\\\"";
		return;
	case '\\':
		out += "\\\\";
		return;
	case '\n':
		out += "\\n";
		return;
	case '\t':
		out += "\\t";
		return;
	default:
		break;
	}
	const auto code = static_cast<unsigned char>(character);
	if (code >= 0x20) {
		out += character;
		return;
	}
	out += "\\u00";
	out += hexadecimal[code >> 4];
	out += hexadecimal[code & 0xf];
}

std::size_t skip_space(std::string_view text, std::size_t at)
{
	return std::min(text.find_first_not_of(" \t\r\n", at), text.size());
}

// Behind the closing quote of the string that begins there.
std::size_t end_of_string(std::string_view text, std::size_t at)
{
	for (++at; at < text.size(); ++at) {
		if (text[at] == '"')
			return at + 1;
		if (text[at] == '\\')
			++at;
	}
	return text.size();
}

std::string scalar_at(std::string_view text, std::size_t at)
{
	if (at == text.size())
		return {};
	if (text[at] != '"')
		return std::string(text.substr(at, text.find_first_of(" \t\r\n,:{}[]\"", at) - at));
	const std::string_view quoted = text.substr(at, end_of_string(text, at) - at);
	return std::string(quoted.substr(1, quoted.size() - std::min<std::size_t>(quoted.size(), 2)));
}

} // namespace

std::string json_member(std::string_view object, std::string_view name)
{
	const std::string quoted_name = json_string(name);
	int depth = 0;
	for (std::size_t at = 0; at < object.size();) {
		const char c = object[at];
		depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
		const std::size_t end = c == '"' ? end_of_string(object, at) : at + 1;
		const std::size_t colon = skip_space(object, end);
		const bool is_name = depth == 1 && colon < object.size() && object[colon] == ':';
		if (is_name && object.substr(at, end - at) == quoted_name)
			return scalar_at(object, skip_space(object, colon + 1));
		at = end;
	}
	return {};
}

std::string json_string(std::string_view text)
{
	std::string out = "\"";
	for (const char character : text)
		append_escaped(out, character);
	return out + "\"";
}

} // namespace automation::core
