#include "core/sms_segments.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace automation::core {

namespace {

// GSM 03.38: the alphabet, and what takes an escape besides.
constexpr std::u32string_view basic =
	U"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	U"ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
constexpr std::u32string_view extended = U"\f^{}\\[~]|€";

constexpr int gsm_alone = 160, gsm_part = 153; // septets; a part begins with a header
constexpr int ucs2_alone = 70, ucs2_part = 67; // 16-bit units
constexpr char32_t last_of_one_unit = 0xffff;

// The character at the beginning, which it takes away.
char32_t take_character(std::string_view &text)
{
	const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
	const unsigned first = byte(0);
	const std::size_t length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	char32_t character = length == 1 ? first : first & (0xffU >> (length + 1));
	for (std::size_t i = 1; i < length; ++i) {
		if (i == text.size() || (byte(i) & 0xc0) != 0x80) {
			text.remove_prefix(1);
			return first;
		}
		character = character << 6 | (byte(i) & 0x3fU);
	}
	text.remove_prefix(length);
	return character;
}

// How many septets; 0: the alphabet lacks it.
int septets(char32_t character)
{
	if (basic.find(character) != basic.npos)
		return 1;
	return extended.find(character) != extended.npos ? 2 : 0;
}

// No character is divided between two parts.
int count_segments(const std::vector<int> &widths, int alone, int part)
{
	int total = 0, parts = 1, used = 0;
	for (const int width : widths) {
		total += width;
		if (used + width > part) {
			++parts;
			used = 0;
		}
		used += width;
	}
	return total <= alone ? 1 : parts;
}

} // namespace

SmsSegments sms_segments(std::string_view body)
{
	std::vector<int> gsm, ucs2;
	while (!body.empty()) {
		const char32_t character = take_character(body);
		gsm.push_back(septets(character));
		ucs2.push_back(character > last_of_one_unit ? 2 : 1);
	}
	if (std::ranges::find(gsm, 0) == gsm.end())
		return {true, count_segments(gsm, gsm_alone, gsm_part)};
	return {false, count_segments(ucs2, ucs2_alone, ucs2_part)};
}

} // namespace automation::core
