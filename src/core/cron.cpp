#include "core/cron.hpp"

#include "core/cron_field.hpp"
#include "core/failure.hpp"

namespace automation::core {

namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::local_days;
using std::chrono::minutes;
using std::chrono::year_month_day;

// 29 February on a Sunday comes every 28 years, and once in 40.
constexpr days search_limit(41 * 366);

constexpr unsigned longest_months[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

} // namespace

Cron::Cron(const std::string &schedule)
{
	const auto [minute, hour, day, month, weekday] = parse_cron(schedule);
	minutes_ = minute.numbers;
	hours_ = hour.numbers;
	days_ = day.numbers;
	months_ = month.numbers;
	weekdays_ = weekday.numbers;
	any_day_ = day.is_open;
	any_weekday_ = weekday.is_open;
	if (weekdays_[7])
		weekdays_.set(0);
	if (!is_possible())
		fail_cron(schedule, "None of its months has such a day.");
}

bool Cron::is_possible() const
{
	if (!any_day_ && !any_weekday_)
		return true;
	for (unsigned month = 1; month <= 12; ++month)
		for (unsigned day = 1; day <= longest_months[month]; ++day)
			if (months_[month] && days_[day])
				return true;
	return false;
}

bool Cron::is_day(local_days day) const
{
	const bool by_date = days_[unsigned(year_month_day(day).day())];
	const bool by_weekday = weekdays_[std::chrono::weekday(day).c_encoding()];
	return any_day_ || any_weekday_ ? by_date && by_weekday : by_date || by_weekday;
}

WallClock Cron::first_from(std::chrono::local_time<minutes> wall_clock) const
{
	const local_days first = floor<days>(wall_clock);
	for (local_days day = first; day <= first + search_limit; day += days(1)) {
		if (!months_[unsigned(year_month_day(day).month())] || !is_day(day))
			continue;
		for (minutes time = day == first ? wall_clock - first : minutes(0); time < days(1); ++time)
			if (hours_[static_cast<std::size_t>(time / hours(1))] &&
				minutes_[static_cast<std::size_t>(time % hours(1) / minutes(1))])
				return day + time;
	}
	throw Failure("22023", "cron schedule is never due");
}

Instant Cron::next(Instant after, const Zone &zone) const
{
	auto shown = floor<minutes>(zone.wall_clock(after));
	for (;;) {
		shown = floor<minutes>(first_from(shown + minutes(1)));
		const Instant due = zone.instant(shown);
		if (due > after)
			return due;
	}
}

} // namespace automation::core
