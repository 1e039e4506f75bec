#include "core/json.hpp"

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

} // namespace

std::string json_string(std::string_view text)
{
	std::string out = "\"";
	for (const char character : text)
		append_escaped(out, character);
	return out + "\"";
}

} // namespace automation::core
