// A time zone for tests: Berlin in the years around 2026, where clocks are an hour ahead of UTC,
// two from 01:00 UTC on 29 March until 01:00 UTC on 25 October 2026. And what instants are written
// as.
#pragma once

#include "core/zone.hpp"

#include <algorithm>
#include <string>

namespace automation::core {

class Berlin : public Zone {
public:
	WallClock wall_clock(Instant instant) const override
	{
		const bool is_summer = instant >= spring && instant < autumn;
		return WallClock(instant.time_since_epoch() + std::chrono::hours(is_summer ? 2 : 1));
	}

	Instant instant(WallClock wall_clock) const override
	{
		const Instant winter(wall_clock.time_since_epoch() - std::chrono::hours(1));
		const Instant summer = winter - std::chrono::hours(1);
		if (winter < spring)
			return winter;
		return summer < autumn ? std::max(summer, spring) : winter;
	}

private:
	static constexpr Instant spring =
		std::chrono::sys_days(std::chrono::year(2026) / 3 / 29) + std::chrono::hours(1);
	static constexpr Instant autumn =
		std::chrono::sys_days(std::chrono::year(2026) / 10 / 25) + std::chrono::hours(1);
};

inline WallClock wall(int year, unsigned month, unsigned day, int hour = 0, int minute = 0)
{
	return std::chrono::local_days(
			   std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)) +
		std::chrono::hours(hour) + std::chrono::minutes(minute);
}

inline Instant berlin(int year, unsigned month, unsigned day, int hour = 0, int minute = 0)
{
	return Berlin().instant(wall(year, month, day, hour, minute));
}

// "Sun 2026-03-29 03:00 +2"
inline std::string shown(Instant instant)
{
	using namespace std::chrono;
	constexpr const char *names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	const auto two = [](auto number) { return (number < 10 ? "0" : "") + std::to_string(number); };
	const WallClock clock = Berlin().wall_clock(instant);
	const local_days day = floor<days>(clock);
	const year_month_day date(day);
	const hh_mm_ss time(floor<minutes>(clock - day));
	const auto ahead = floor<hours>(clock.time_since_epoch() - instant.time_since_epoch());
	return std::string(names[weekday(day).c_encoding()]) + ' ' + std::to_string(int(date.year())) +
		'-' + two(unsigned(date.month())) + '-' + two(unsigned(date.day())) + ' ' +
		two(time.hours().count()) + ':' + two(time.minutes().count()) + " +" +
		std::to_string(ahead.count());
}

} // namespace automation::core
