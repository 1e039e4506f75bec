#include "core/answer.hpp"

#include "core/base64.hpp"

#include <algorithm>
#include <cstdint>

namespace automation::core {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD
constexpr std::string_view redacted = "***";
constexpr std::size_t shortest_secret = 4; // less would only tear holes into the text

unsigned byte_at(std::string_view text, std::size_t at)
{
	return static_cast<unsigned char>(text[at]);
}

// The length of the valid UTF-8 sequence at the beginning; 0 when there is none.
std::size_t sequence_length(std::string_view text)
{
	const unsigned first = byte_at(text, 0);
	const std::size_t length = first < 0x80 ? 1
		: first >= 0xc2 && first < 0xe0		? 2
		: first >= 0xe0 && first < 0xf0		? 3
		: first >= 0xf0 && first < 0xf5		? 4
											: 0;
	if (length == 0 || text.size() < length)
		return 0;
	std::uint32_t point = length == 1 ? first : first & (0xffU >> (length + 1));
	for (std::size_t i = 1; i < length; ++i) {
		if ((byte_at(text, i) & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (byte_at(text, i) & 0x3f);
	}
	const bool too_long = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
	const bool surrogate = point >= 0xd800 && point < 0xe000;
	return too_long || surrogate || point > 0x10ffff ? 0 : length;
}

bool is_kept(std::string_view sequence, Characters characters)
{
	if (sequence.size() != 1)
		return sequence.size() > 1 && characters == Characters::utf8;
	const char c = sequence[0];
	return c == '\t' || c == '\n' || c == '\r' || (c >= ' ' && c != 0x7f);
}

void replace_all(std::string &text, std::string_view what)
{
	if (what.size() < shortest_secret)
		return;
	for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at))
		text.replace(at, what.size(), redacted);
}

} // namespace

std::string storable(std::string_view text, Characters characters, std::size_t most_bytes)
{
	const std::string_view stand_in = characters == Characters::utf8 ? replacement : "?";
	std::string kept;
	while (!text.empty()) {
		const std::size_t length = sequence_length(text);
		const std::string_view sequence = text.substr(0, length);
		const std::string_view next = is_kept(sequence, characters) ? sequence : stand_in;
		if (kept.size() + next.size() > most_bytes)
			break;
		kept += next;
		text.remove_prefix(std::max<std::size_t>(length, 1));
	}
	return kept;
}

std::string redact(
	std::string text, std::string_view username, std::span<const std::string> secrets)
{
	for (const std::string &secret : secrets) {
		replace_all(text, secret);
		replace_all(text, base64(std::string(username) + ":" + secret));
	}
	return text;
}

} // namespace automation::core
