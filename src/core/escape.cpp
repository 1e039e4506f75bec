#include "core/escape.hpp"

#include "core/ascii.hpp"

namespace automation::core {

std::string html_escape(std::string_view text)
{
	std::string out;
	out.reserve(text.size());
	for (const char c : text) {
		switch (c) {
		case '&':
			out += "&amp;";
			break;
		case '<':
			out += "&lt;";
			break;
		case '>':
			out += "&gt;";
			break;
		case '"':
			out += "&quot;";
			break;
		case '\'':
			out += "&#39;";
			break;
		default:
			out += c;
		}
	}
	return out;
}

std::string one_line(std::string_view text)
{
	std::string out(text);
	for (char &c : out)
		if (is_control(c))
			c = ' ';
	return out;
}

std::string url_encode(std::string_view text)
{
	constexpr std::string_view hexadecimal = "0123456789ABCDEF";
	std::string out;
	for (const char c : text) {
		if (is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
			out += c;
			continue;
		}
		const auto code = static_cast<unsigned char>(c);
		out += '%';
		out += hexadecimal[code >> 4];
		out += hexadecimal[code & 0xf];
	}
	return out;
}

} // namespace automation::core
