#include "core/cron.hpp"

#include "berlin.hpp"
#include "failure_of.hpp"

using namespace automation::core;

namespace {

std::string next(const std::string &schedule, Instant after)
{
	return shown(Cron(schedule).next(after, Berlin()));
}

std::string wrong(const std::string &schedule)
{
	const Failure failure = failure_of([&] { Cron cron(schedule); });
	EXPECT_EQ(failure.what(), "invalid cron schedule: \"" + schedule + '"');
	EXPECT_STREQ(failure.sqlstate, "22023");
	return failure.advice.detail;
}

// Sunday
const Instant noon = berlin(2026, 2, 15, 12);

} // namespace

TEST(Cron, comes_at_the_next_minute_that_fits)
{
	EXPECT_EQ(next("* * * * *", noon), "Sun 2026-02-15 12:01 +1");
	EXPECT_EQ(next("0 12 * * *", noon), "Mon 2026-02-16 12:00 +1");
	EXPECT_EQ(next("0 12 * * *", noon - std::chrono::microseconds(1)), "Sun 2026-02-15 12:00 +1");
	EXPECT_EQ(next("*/25 * * * *", noon), "Sun 2026-02-15 12:25 +1");
	EXPECT_EQ(next("10-50/20 * * * *", noon), "Sun 2026-02-15 12:10 +1");
	EXPECT_EQ(next("5/20 13 * * *", berlin(2026, 2, 15, 13, 5)), "Sun 2026-02-15 13:25 +1");
	EXPECT_EQ(next("30 9 * * 1-5", noon), "Mon 2026-02-16 09:30 +1");
	EXPECT_EQ(next("0 0 1,15 jan,JUL *", noon), "Wed 2026-07-01 00:00 +2");
	EXPECT_EQ(next("59 23 31 12 *", noon), "Thu 2026-12-31 23:59 +1");
	EXPECT_EQ(next("0 0 29 2 *", noon), "Tue 2028-02-29 00:00 +1");
}

TEST(Cron, knows_weekdays_by_number_and_name)
{
	for (const char *sunday : {"0", "7", "sun", "SUN", "sun-sun", "7-7"})
		EXPECT_EQ(next(std::string("0 0 * * ") + sunday, noon), "Sun 2026-02-22 00:00 +1")
			<< sunday;
	EXPECT_EQ(next("0 0 * * fri-sun", berlin(2026, 2, 21)), "Sun 2026-02-22 00:00 +1");
	EXPECT_EQ(next("0 0 * * 5-7", berlin(2026, 2, 21)), "Sun 2026-02-22 00:00 +1");
	EXPECT_EQ(next("0 0 * * mon,wed", noon), "Mon 2026-02-16 00:00 +1");
}

TEST(Cron, takes_either_of_day_and_weekday_but_both_where_one_is_open)
{
	EXPECT_EQ(next("0 0 20 * mon", noon), "Mon 2026-02-16 00:00 +1");
	EXPECT_EQ(next("0 0 20 * mon", berlin(2026, 2, 16)), "Fri 2026-02-20 00:00 +1");
	EXPECT_EQ(next("0 0 */10 * mon", noon), "Mon 2026-05-11 00:00 +2");
	EXPECT_EQ(next("0 0 29 2 */7", noon), "Sun 2032-02-29 00:00 +1");
}

TEST(Cron, knows_shorthands)
{
	EXPECT_EQ(next("@hourly", noon), "Sun 2026-02-15 13:00 +1");
	EXPECT_EQ(next("@daily", noon), "Mon 2026-02-16 00:00 +1");
	EXPECT_EQ(next("@Midnight", noon), "Mon 2026-02-16 00:00 +1");
	EXPECT_EQ(next(" @weekly ", noon), "Sun 2026-02-22 00:00 +1");
	EXPECT_EQ(next("@monthly", noon), "Sun 2026-03-01 00:00 +1");
	EXPECT_EQ(next("@yearly", noon), "Fri 2027-01-01 00:00 +1");
	EXPECT_EQ(next("@annually", noon), "Fri 2027-01-01 00:00 +1");
}

TEST(Cron, comes_once_where_the_clocks_jump)
{
	const std::string jump = "Sun 2026-03-29 03:00 +2";
	EXPECT_EQ(next("30 2 * * *", berlin(2026, 3, 28, 12)), jump);
	EXPECT_EQ(next("30 2 * * *", berlin(2026, 3, 29, 3)), "Mon 2026-03-30 02:30 +2");
	EXPECT_EQ(next("*/20 * * * *", berlin(2026, 3, 29, 1, 40)), jump);
	EXPECT_EQ(next("*/20 * * * *", berlin(2026, 3, 29, 3)), "Sun 2026-03-29 03:20 +2");
}

TEST(Cron, comes_once_where_the_clocks_go_back)
{
	const Instant first = berlin(2026, 10, 25, 2, 30);
	EXPECT_EQ(next("30 2 * * *", berlin(2026, 10, 24, 12)), "Sun 2026-10-25 02:30 +2");
	EXPECT_EQ(next("30 2 * * *", first), "Mon 2026-10-26 02:30 +1");
	EXPECT_EQ(next("30 2 * * *", first + std::chrono::minutes(20)), "Mon 2026-10-26 02:30 +1");
	EXPECT_EQ(next("*/20 * * * *", first + std::chrono::hours(1)), "Sun 2026-10-25 03:00 +1");
}

TEST(Cron, says_what_is_wrong)
{
	EXPECT_EQ(wrong("61 * * * *"), "Minute must be between 0 and 59.");
	EXPECT_EQ(wrong("* 24 * * *"), "Hour must be between 0 and 23.");
	EXPECT_EQ(wrong("* * 0 * *"), "Day of month must be between 1 and 31.");
	EXPECT_EQ(wrong("* * 1-32 * *"), "Day of month must be between 1 and 31.");
	EXPECT_EQ(wrong("* * * 13 *"), "Month must be between 1 and 12.");
	EXPECT_EQ(wrong("* * * * 8"), "Day of week must be between 0 and 7.");
	EXPECT_EQ(wrong("99999999999999999999 * * * *"), "Minute must be between 0 and 59.");
	EXPECT_EQ(wrong("* * * foo *"), "Month is no number: \"foo\".");
	EXPECT_EQ(wrong("* * * * L"), "Day of week is no number: \"L\".");
	EXPECT_EQ(wrong("jan * * * *"), "Minute is no number: \"jan\".");
	EXPECT_EQ(wrong("-1 * * * *"), "Minute is no number: \"\".");
	EXPECT_EQ(wrong("1, * * * *"), "Minute is no number: \"\".");
	EXPECT_EQ(wrong("1-2-3 * * * *"), "Minute is no number: \"2-3\".");
	EXPECT_EQ(wrong("1//2 * * * *"), "Minute is no number: \"/2\".");
	EXPECT_EQ(wrong("1/ * * * *"), "Minute is no number: \"\".");
	EXPECT_EQ(wrong("*1 * * * *"), "Minute is no number: \"*1\".");
	EXPECT_EQ(wrong("*/0 * * * *"), "Step of minute must be at least 1.");
	EXPECT_EQ(wrong("* 5-1 * * *"), "Hour range \"5-1\" goes backwards.");
	EXPECT_EQ(wrong("0 0 30 2 *"), "None of its months has such a day.");
	EXPECT_EQ(wrong("0 0 31 4,6,9,11 *"), "None of its months has such a day.");
	EXPECT_EQ(wrong("@reboot"), "There is no such shorthand.");
	const std::string five =
		"A schedule has five fields: minute, hour, day of month, month, day of week.";
	for (const char *schedule : {"", "   ", "*", "* * * *", "* * * * * *", "@daily @daily"})
		EXPECT_EQ(wrong(schedule), five);
}
