#include "core/base64.hpp"

#include <cstdint>

namespace automation::core {

namespace {

constexpr std::string_view digits =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace

std::string base64(std::string_view bytes)
{
	std::string text;
	for (std::size_t at = 0; at < bytes.size(); at += 3) {
		unsigned group = 0;
		for (std::size_t i = 0; i < 3; ++i)
			group = group << 8 |
				(at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
		for (std::size_t i = 0; i < 4; ++i)
			text += at + i <= bytes.size() ? digits[group >> (18 - 6 * i) & 63] : '=';
	}
	return text;
}

std::optional<std::string> from_base64(std::string_view text)
{
	const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
	if (text.size() % 4 != 0)
		return std::nullopt;
	std::string bytes;
	std::uint32_t bits = 0;
	std::size_t count = 0;
	for (const char c : text.substr(0, text.size() - padding)) {
		const std::size_t digit = digits.find(c);
		if (digit == digits.npos)
			return std::nullopt;
		bits = bits << 6 | static_cast<std::uint32_t>(digit);
		count += 6;
		if (count >= 8)
			bytes += static_cast<char>(bits >> (count -= 8) & 0xff);
	}
	return bytes;
}

} // namespace automation::core
