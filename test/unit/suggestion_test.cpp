#include "core/suggestion.hpp"

#include <gtest/gtest.h>

using namespace automation::core;

namespace {

std::string meant(std::string_view name)
{
	constexpr std::string_view known[] = {"first_name", "last_name", "status", "state", "id"};
	return closest(name, known).value_or("");
}

} // namespace

TEST(Suggestion, FindsTheClosestName)
{
	EXPECT_EQ(meant("frist_name"), "first_name");
	EXPECT_EQ(meant("statuz"), "status");
	EXPECT_EQ(meant("STATUS"), "status");
	EXPECT_EQ(meant("stat"), "state");
	EXPECT_EQ(meant("ir"), "id");
}

TEST(Suggestion, KeepsQuietWhenNothingIsClose)
{
	EXPECT_EQ(meant("phone"), "");
	EXPECT_EQ(meant(""), "");
	EXPECT_EQ(meant("x"), "");
	EXPECT_EQ(meant("xy"), "");
	EXPECT_EQ(meant("full_named"), "");
	EXPECT_EQ(meant(std::string(100'000, 'a')), "");
	EXPECT_EQ(closest("a", {}), std::nullopt);
}

TEST(Suggestion, PrefersTheFirstOfEquals)
{
	constexpr std::string_view known[] = {"abcx", "abcy"};
	EXPECT_EQ(closest("abcd", known), "abcx");
}
