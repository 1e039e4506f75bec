#include "core/answer.hpp"
#include "core/base64.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

using namespace automation::core;

namespace {

std::string kept(std::string_view text, std::size_t most = 100)
{
	return storable(text, Characters::utf8, most);
}

} // namespace

TEST(Answer, keeps_text)
{
	EXPECT_EQ(kept("plain\ttext\r\n€ 😀"), "plain\ttext\r\n€ 😀");
	EXPECT_EQ(kept(""), "");
}

TEST(Answer, replaces_what_the_database_could_not_hold)
{
	const std::string nul("a\0b", 3);
	EXPECT_EQ(kept(nul), "a\uFFFDb");
	EXPECT_EQ(kept("\xff\xfe"), "\uFFFD\uFFFD");
	EXPECT_EQ(kept("\xc3"), "\uFFFD") << "cut short";
	EXPECT_EQ(kept("\xc0\xaf"), "\uFFFD\uFFFD") << "overlong";
	EXPECT_EQ(kept("\xe0\x80\x80"), "\uFFFD\uFFFD\uFFFD") << "overlong";
	EXPECT_EQ(kept("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD") << "half of a surrogate pair";
	EXPECT_EQ(kept("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD") << "beyond Unicode";
	EXPECT_EQ(kept("\x1b[31m"), "\uFFFD[31m");
}

TEST(Answer, ends_at_a_character)
{
	EXPECT_EQ(kept("aaé", 3), "aa");
	EXPECT_EQ(kept("aaé", 4), "aaé");
}

TEST(Answer, ascii_databases_get_ascii)
{
	EXPECT_EQ(storable("é\xff.", Characters::ascii, 100), "??.");
}

TEST(Answer, whatever_comes_is_valid_afterwards)
{
	std::mt19937 random(1);
	for (int round = 0; round < 20'000; ++round) {
		std::string noise(random() % 20, '\0');
		for (char &c : noise)
			c = static_cast<char>(random());
		const std::string once = kept(noise);
		EXPECT_EQ(kept(once), once);
	}
}

TEST(Answer, secrets_do_not_come_back)
{
	const std::array<std::string, 2> secrets{"s3cret", "abc"};
	EXPECT_EQ(redact("token s3cret, s3cret!", "", secrets), "token ***, ***!");
	EXPECT_EQ(redact("Basic " + base64("AC1:s3cret"), "AC1", secrets), "Basic ***");
	EXPECT_EQ(redact("abc", "", secrets), "abc") << "too short to be one";
}

TEST(Base64, is_that_of_the_standard)
{
	EXPECT_EQ(base64(""), "");
	EXPECT_EQ(base64("f"), "Zg==");
	EXPECT_EQ(base64("fo"), "Zm8=");
	EXPECT_EQ(base64("foo"), "Zm9v");
	EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
	EXPECT_EQ(base64("\xfb\xff"), "+/8=");
	for (const std::string bytes : {"", "f", "fo", "foo", "foobar", "\xfb\xff"})
		EXPECT_EQ(from_base64(base64(bytes)), bytes);
	for (const char *bad : {"Zg", "Zg=", "Z===", "Zm9v!AAA", "=Zm9", "Zm 9"})
		EXPECT_FALSE(from_base64(bad)) << bad;
}
