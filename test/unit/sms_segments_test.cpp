#include "core/sms_segments.hpp"

#include <gtest/gtest.h>

#include <string>

using namespace automation::core;

namespace {

std::string repeated(int count, const std::string &text)
{
	std::string all;
	for (int i = 0; i < count; ++i)
		all += text;
	return all;
}

std::string cut(const std::string &body)
{
	const SmsSegments segments = sms_segments(body);
	return (segments.is_gsm ? "GSM " : "UCS-2 ") + std::to_string(segments.count);
}

} // namespace

TEST(SmsSegments, seven_bits)
{
	EXPECT_EQ(cut(""), "GSM 1");
	EXPECT_EQ(cut("Grüße von Ñandú & Ärger @ 5 £"), "UCS-2 1"); // ú is not in the alphabet
	EXPECT_EQ(cut("Grüße von Ñandu & Ärger @ 5 £ Δ à\r\n"), "GSM 1");
	EXPECT_EQ(cut(repeated(160, "a")), "GSM 1");
	EXPECT_EQ(cut(repeated(161, "a")), "GSM 2");
	EXPECT_EQ(cut(repeated(306, "a")), "GSM 2");
	EXPECT_EQ(cut(repeated(307, "a")), "GSM 3");
}

TEST(SmsSegments, what_takes_an_escape_counts_twice)
{
	EXPECT_EQ(cut(repeated(80, "€")), "GSM 1");
	EXPECT_EQ(cut(repeated(81, "€")), "GSM 2");
	EXPECT_EQ(cut("{}[]^\\~|\f"), "GSM 1");
	// 153 septets hold 76 of them and one more: none is divided.
	EXPECT_EQ(cut(repeated(152, "€")), "GSM 2");
	EXPECT_EQ(cut(repeated(153, "€")), "GSM 3");
}

TEST(SmsSegments, sixteen_bits)
{
	EXPECT_EQ(cut("`"), "UCS-2 1");
	EXPECT_EQ(cut(repeated(70, "日")), "UCS-2 1");
	EXPECT_EQ(cut(repeated(71, "日")), "UCS-2 2");
	EXPECT_EQ(cut(repeated(134, "日")), "UCS-2 2");
	EXPECT_EQ(cut(repeated(135, "日")), "UCS-2 3");
	EXPECT_EQ(cut(repeated(35, "😀")), "UCS-2 1");
	EXPECT_EQ(cut(repeated(36, "😀")), "UCS-2 2");
	// 67 units hold 33 of them and one more: none is divided.
	EXPECT_EQ(cut(repeated(66, "😀")), "UCS-2 2");
	EXPECT_EQ(cut(repeated(67, "😀")), "UCS-2 3");
}

TEST(SmsSegments, what_is_no_utf8)
{
	EXPECT_EQ(cut("\xff"), "UCS-2 1");
	EXPECT_EQ(cut("a\xe2\x82"), "UCS-2 1");
}
