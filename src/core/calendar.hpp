// From the day that a delay leads to, to a day and an hour at which one may act.
#pragma once

#include "core/zone.hpp"

#include <optional>
#include <vector>

namespace automation::core {

using Day = std::chrono::local_days;

// The part of a week that begins on Monday, in order, by seconds; until is not part of it.
struct Span {
	std::chrono::seconds from;
	std::chrono::seconds until;
};
using Week = std::vector<Span>;

struct Plan {
	enum class Roll { next, previous };

	int workdays = 0;		// so many working days on, or back when negative
	Week working_week;		// what counts as one
	Roll roll = Roll::next; // where a day goes that is not allowed
	std::optional<std::chrono::seconds> time_of_day;
	bool day_itself = false;   // the time of day may be earlier than the instant
	Week week;				   // what is allowed
	std::vector<Day> holidays; // neither working nor allowed; in order
};

// base: what the delay counts from; start: where it leads. The answer is never before start, except
// by the plan's own wish: a day that rolls back is not before base. Throws Failure 55000 when two
// years have no day that is allowed.
Instant schedule(const Plan &plan, Instant base, Instant start, const Zone &zone);

} // namespace automation::core
