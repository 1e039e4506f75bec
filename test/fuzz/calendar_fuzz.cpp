// Whatever a plan says, what it leads to is allowed, and no earlier than it may be.
#include "core/calendar.hpp"
#include "core/failure.hpp"

#include "../unit/berlin.hpp"

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cstdlib>

using namespace automation::core;
using std::chrono::days;
using std::chrono::seconds;

namespace {

void require(bool holds)
{
	if (!holds)
		std::abort();
}

constexpr int week_length = 7 * 24 * 60 * 60;

Week consume_week(FuzzedDataProvider &data)
{
	Week week;
	for (int from = 0; from < week_length && data.ConsumeBool();) {
		from = data.ConsumeIntegralInRange(from, week_length - 1);
		const int until = data.ConsumeIntegralInRange(from + 1, week_length);
		week.push_back({seconds(from), seconds(until)});
		from = until + 1;
	}
	return week;
}

Plan consume_plan(FuzzedDataProvider &data)
{
	Plan plan;
	plan.workdays = data.ConsumeIntegralInRange(-20, 20);
	plan.working_week = consume_week(data);
	plan.roll = data.ConsumeBool() ? Plan::Roll::next : Plan::Roll::previous;
	if (data.ConsumeBool())
		plan.time_of_day = seconds(data.ConsumeIntegralInRange(0, 86'399));
	plan.day_itself = data.ConsumeBool();
	plan.week = consume_week(data);
	for (Day day = std::chrono::floor<days>(wall(2026, 1, 1)); data.ConsumeBool();)
		plan.holidays.push_back(day += days(data.ConsumeIntegralInRange(1, 90)));
	return plan;
}

bool allows(const Plan &plan, WallClock shown)
{
	const Day day = std::chrono::floor<days>(shown);
	const auto monday = day - days(std::chrono::weekday(day).iso_encoding() - 1);
	return !std::ranges::count(plan.holidays, day) &&
		std::ranges::any_of(plan.week, [&](const Span &span) {
			return shown - monday >= span.from && shown - monday < span.until;
		});
}

void follow(const Plan &plan, Instant base, Instant start)
{
	const Berlin zone;
	const Instant due = schedule(plan, base, start, zone);
	require(allows(plan, zone.wall_clock(due)));
	if (plan.day_itself || plan.workdays < 0)
		return;
	require(due >= (plan.roll == Plan::Roll::previous ? base : start));
	// What is allowed already stays.
	Plan settled = plan;
	settled.workdays = 0;
	settled.time_of_day.reset();
	require(schedule(settled, due, due, zone) == due);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *bytes, std::size_t size)
{
	FuzzedDataProvider data(bytes, size);
	const Instant base =
		berlin(2026, 3, 20) + seconds(data.ConsumeIntegralInRange(0, 300 * 86'400));
	const Instant start = base + seconds(data.ConsumeIntegralInRange(0, 40 * 86'400));
	try {
		follow(consume_plan(data), base, start);
	} catch (const Failure &) {
	}
	return 0;
}
