#include "core/calendar.hpp"

#include "core/failure.hpp"

#include <algorithm>
#include <string>

namespace automation::core {

namespace {

using std::chrono::days;
using std::chrono::seconds;

constexpr days search_limit{2 * 366};

[[noreturn]] void fail_to_find()
{
	throw Failure("55000", "no allowed time within two years",
		{.detail = "Weekdays, hours and holidays exclude every day.",
			.hint = "Change the timing of the step, or its calendar."});
}

seconds monday_to(Day day)
{
	return days(std::chrono::weekday(day).iso_encoding() - 1);
}

class Search {
public:
	Search(const Plan &plan, const Zone &zone) : plan_(plan), zone_(zone) {}

	// The working days that the plan wants to go on, or back.
	Day after_workdays(Day day) const
	{
		const days step(plan_.workdays < 0 ? -1 : 1);
		for (int left = std::abs(plan_.workdays); left > 0; --left)
			day = first_open(plan_.working_week, day + step, step);
		return day;
	}

	Day next_allowed(Day day) const { return first_open(plan_.week, day, days(1)); }
	Day previous_allowed(Day day) const { return first_open(plan_.week, day, days(-1)); }

	// This instant, or the next one that is allowed.
	Instant next_allowed(Instant instant) const
	{
		const Day first = std::chrono::floor<days>(zone_.wall_clock(instant));
		for (Day day = first; day <= first + search_limit; day += days(1))
			if (const std::optional<Instant> found = allowed_on(day, instant))
				return *found;
		fail_to_find();
	}

private:
	bool is_holiday(Day day) const
	{
		return std::binary_search(plan_.holidays.begin(), plan_.holidays.end(), day);
	}

	Day first_open(const Week &week, Day day, days step) const
	{
		for (days gone(0); gone <= search_limit; gone += days(1), day += step)
			if (!is_holiday(day) && !part_of(week, day).empty())
				return day;
		fail_to_find();
	}

	// What a week has for this day, counted from midnight.
	static Week part_of(const Week &week, Day day)
	{
		const seconds midnight = monday_to(day);
		Week part;
		for (const Span &span : week) {
			const seconds from = std::max(span.from - midnight, seconds(0));
			const seconds until = std::min<seconds>(span.until - midnight, days(1));
			if (from < until)
				part.push_back({from, until});
		}
		return part;
	}

	std::optional<Instant> allowed_on(Day day, Instant earliest) const
	{
		if (is_holiday(day))
			return std::nullopt;
		for (const Span &span : part_of(plan_.week, day)) {
			const Instant found = std::max(earliest, zone_.instant(day + span.from));
			// The clocks may jump over the whole of it, or show it twice.
			const WallClock shown = zone_.wall_clock(found);
			if (shown >= day + span.from && shown < day + span.until)
				return found;
		}
		return std::nullopt;
	}

	const Plan &plan_;
	const Zone &zone_;
};

} // namespace

Instant schedule(const Plan &plan, Instant base, Instant start, const Zone &zone)
{
	const Search search(plan, zone);
	const WallClock shown = zone.wall_clock(start);
	const Day first = std::chrono::floor<days>(shown);
	const auto hour = shown - first;
	const auto at_this_hour = [&](Day day) {
		return day == first ? start : zone.instant(day + hour);
	};

	const Day wanted = search.after_workdays(first);
	Day day = search.next_allowed(wanted);
	Instant earliest = at_this_hour(wanted);
	if (plan.roll == Plan::Roll::previous && day != wanted) {
		const Day before = search.previous_allowed(wanted);
		if (plan.day_itself || at_this_hour(before) >= base) {
			day = before;
			earliest = base;
		}
	}

	Instant due = at_this_hour(day);
	if (plan.time_of_day) {
		due = zone.instant(day + *plan.time_of_day);
		while (due < earliest && !plan.day_itself) {
			day = search.next_allowed(day + days(1));
			due = zone.instant(day + *plan.time_of_day);
		}
	}
	return search.next_allowed(due);
}

} // namespace automation::core
