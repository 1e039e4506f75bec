#include "core/date_format.hpp"

#include "failure_of.hpp"

using namespace automation::core;

TEST(DateFormat, TranslatesDirectives)
{
	EXPECT_EQ(to_char_format("%d.%m.%Y %H:%M", 0), R"(""DD"."MM"."YYYY" "HH24":"MI)");
	EXPECT_EQ(to_char_format("%A, %B %-d", 0), R"(""FMDay", "FMMonth" "FMDD)");
	EXPECT_EQ(to_char_format("%I:%M %p", 0), R"(""HH12":"MI" "AM)");
	EXPECT_EQ(to_char_format("%e %j %y %F", 0), R"(""FMDD" "DDD" "YY" "YYYY-MM-DD)");
}

TEST(DateFormat, QuotesEverythingElse)
{
	EXPECT_EQ(to_char_format("YYYY", 0), R"("YYYY")");
	EXPECT_EQ(to_char_format("a\"b\\c 'é'", 0), R"("a\"b\\c 'é'")");
	EXPECT_EQ(to_char_format("100%% on %d", 0), R"("100""%"" on "DD)");
}

TEST(DateFormat, KeepsNeighboursApart)
{
	EXPECT_EQ(to_char_format("%d%u%S%S", 0), R"(""DD""ID""SS""SS)");
}

TEST(DateFormat, RefusesWhatItDoesNotKnow)
{
	const std::string hint =
		" | Write for example \"%d.%m.%Y %H:%M\", and a percent sign as \"%%\". @7";
	const auto refusal_of = [](std::string_view format) {
		return report(failure_of([&] { to_char_format(format, 7); }));
	};
	EXPECT_EQ(refusal_of("%d %Q"), "22023 unrecognized date directive \"%Q\"" + hint);
	EXPECT_EQ(refusal_of("%-é"), "22023 unrecognized date directive \"%-é\"" + hint);
	EXPECT_EQ(refusal_of("100%"), "22023 unrecognized date directive \"%\"" + hint);
	EXPECT_EQ(refusal_of("%-"), "22023 unrecognized date directive \"%-\"" + hint);
	EXPECT_EQ(refusal_of(""), "22023 date format is empty @7");
}
