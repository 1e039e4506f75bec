#include "core/calendar.hpp"

#include "berlin.hpp"
#include "failure_of.hpp"

using namespace automation::core;
using std::chrono::days;
using std::chrono::hours;

namespace {

const Week all_week = {{hours(0), days(7)}};
const Week monday_to_friday = {{hours(0), days(5)}};

Week every_day(int from, int until)
{
	Week week;
	for (int day = 0; day < 7; ++day)
		week.push_back({days(day) + hours(from), days(day) + hours(until)});
	return week;
}

Plan plan()
{
	Plan plan;
	plan.working_week = monday_to_friday;
	plan.week = all_week;
	return plan;
}

std::string due(const Plan &plan, Instant start)
{
	return shown(schedule(plan, start, start, Berlin()));
}

// In 2026, 14 February is a Saturday.
const Instant friday = berlin(2026, 2, 13, 15);
const Instant saturday = berlin(2026, 2, 14, 15);

} // namespace

TEST(Calendar, leaves_alone_what_is_allowed)
{
	const Instant odd = saturday + std::chrono::microseconds(7);
	EXPECT_EQ(schedule(plan(), odd, odd, Berlin()), odd);
	Plan working = plan();
	working.week = monday_to_friday;
	EXPECT_EQ(due(working, friday), "Fri 2026-02-13 15:00 +1");
}

TEST(Calendar, moves_days_that_are_not_allowed_and_keeps_the_hour)
{
	Plan working = plan();
	working.week = monday_to_friday;
	EXPECT_EQ(due(working, saturday), "Mon 2026-02-16 15:00 +1");
	working.holidays = {std::chrono::floor<days>(wall(2026, 2, 16))};
	EXPECT_EQ(due(working, saturday), "Tue 2026-02-17 15:00 +1");
}

TEST(Calendar, rolls_back_but_not_before_the_base)
{
	Plan working = plan();
	working.week = monday_to_friday;
	working.roll = Plan::Roll::previous;
	const Instant thursday = friday - days(1);
	EXPECT_EQ(shown(schedule(working, thursday, saturday, Berlin())), "Fri 2026-02-13 15:00 +1");
	EXPECT_EQ(due(working, saturday), "Mon 2026-02-16 15:00 +1");
	EXPECT_EQ(
		shown(schedule(working, friday + hours(1), saturday, Berlin())), "Mon 2026-02-16 15:00 +1");
	working.day_itself = true;
	EXPECT_EQ(due(working, saturday), "Fri 2026-02-13 15:00 +1");
}

TEST(Calendar, counts_working_days)
{
	Plan on = plan();
	on.workdays = 1;
	EXPECT_EQ(due(on, friday), "Mon 2026-02-16 15:00 +1");
	EXPECT_EQ(due(on, saturday), "Mon 2026-02-16 15:00 +1");
	on.workdays = 10;
	EXPECT_EQ(due(on, friday), "Fri 2026-02-27 15:00 +1");
	on.holidays = {std::chrono::floor<days>(wall(2026, 2, 18))};
	EXPECT_EQ(due(on, friday), "Mon 2026-03-02 15:00 +1");
	on.workdays = -1;
	EXPECT_EQ(due(on, saturday), "Fri 2026-02-13 15:00 +1");
	on.workdays = -3;
	EXPECT_EQ(due(on, saturday), "Wed 2026-02-11 15:00 +1");
}

TEST(Calendar, waits_for_the_time_of_day)
{
	Plan at_nine = plan();
	at_nine.time_of_day = hours(9);
	EXPECT_EQ(due(at_nine, friday), "Sat 2026-02-14 09:00 +1");
	EXPECT_EQ(due(at_nine, berlin(2026, 2, 13, 9)), "Fri 2026-02-13 09:00 +1");
	at_nine.week = monday_to_friday;
	EXPECT_EQ(due(at_nine, friday), "Mon 2026-02-16 09:00 +1");
	EXPECT_EQ(due(at_nine, saturday), "Mon 2026-02-16 09:00 +1");
	at_nine.day_itself = true;
	EXPECT_EQ(due(at_nine, friday), "Fri 2026-02-13 09:00 +1");
}

TEST(Calendar, takes_the_hour_of_the_day_it_rolled_back_to)
{
	Plan at_nine = plan();
	at_nine.week = monday_to_friday;
	at_nine.roll = Plan::Roll::previous;
	at_nine.time_of_day = hours(9);
	EXPECT_EQ(
		shown(schedule(at_nine, friday - days(1), saturday, Berlin())), "Fri 2026-02-13 09:00 +1");
	EXPECT_EQ(
		shown(schedule(at_nine, friday - hours(1), saturday, Berlin())), "Mon 2026-02-16 09:00 +1");
}

TEST(Calendar, keeps_to_hours)
{
	Plan daytime = plan();
	daytime.week = every_day(8, 20);
	EXPECT_EQ(due(daytime, berlin(2026, 2, 13, 7, 59)), "Fri 2026-02-13 08:00 +1");
	EXPECT_EQ(due(daytime, berlin(2026, 2, 13, 19, 59)), "Fri 2026-02-13 19:59 +1");
	EXPECT_EQ(due(daytime, berlin(2026, 2, 13, 20)), "Sat 2026-02-14 08:00 +1");
	daytime.week = {{hours(8), hours(12)}, {hours(13), hours(20)}}; // Mondays
	EXPECT_EQ(due(daytime, berlin(2026, 2, 16, 12, 30)), "Mon 2026-02-16 13:00 +1");
	EXPECT_EQ(due(daytime, berlin(2026, 2, 16, 21)), "Mon 2026-02-23 08:00 +1");
}

TEST(Calendar, leaves_out_hours_that_the_clocks_jump_over)
{
	Plan night = plan();
	night.week = every_day(2, 3);
	EXPECT_EQ(due(night, berlin(2026, 3, 29, 0)), "Mon 2026-03-30 02:00 +2");
	night.week = every_day(2, 4);
	EXPECT_EQ(due(night, berlin(2026, 3, 29, 0)), "Sun 2026-03-29 03:00 +2");
	Plan half_past_two = plan();
	half_past_two.time_of_day = hours(2) + std::chrono::minutes(30);
	EXPECT_EQ(due(half_past_two, berlin(2026, 3, 29, 0)), "Sun 2026-03-29 03:00 +2");
}

TEST(Calendar, takes_the_first_of_hours_that_the_clocks_show_twice)
{
	Plan night = plan();
	night.time_of_day = hours(2) + std::chrono::minutes(30);
	const Instant first = berlin(2026, 10, 25, 2, 30);
	EXPECT_EQ(due(night, first - hours(1)), "Sun 2026-10-25 02:30 +2");
	EXPECT_EQ(due(night, first + std::chrono::minutes(1)), "Mon 2026-10-26 02:30 +1");
	Plan window = plan();
	window.week = every_day(2, 3);
	EXPECT_EQ(due(window, first + hours(1)), "Sun 2026-10-25 02:30 +1");
}

TEST(Calendar, gives_up_when_no_day_is_allowed)
{
	Plan closed = plan();
	closed.week = {};
	EXPECT_EQ(report(failure_of([&] { due(closed, friday); })),
		"55000 no allowed time within two years | Weekdays, hours and holidays exclude every day. "
		"| "
		"Change the timing of the step, or its calendar.");
	Plan idle = plan();
	idle.working_week = {};
	EXPECT_EQ(due(idle, friday), "Fri 2026-02-13 15:00 +1");
	idle.workdays = -1;
	EXPECT_STREQ(failure_of([&] { due(idle, friday); }).sqlstate, "55000");
	Plan holidays = plan();
	for (Day day = std::chrono::floor<days>(wall(2026, 1, 1)); holidays.holidays.size() < 800;
		 day += days(1))
		holidays.holidays.push_back(day);
	EXPECT_STREQ(failure_of([&] { due(holidays, friday); }).sqlstate, "55000");
}
