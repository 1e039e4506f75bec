// Cron schedules: "minute hour day-of-month month day-of-week", or @daily and its like.
#pragma once

#include "core/zone.hpp"

#include <bitset>
#include <string>

namespace automation::core {

class Cron {
public:
	// Failure 22023 for what is no schedule, and for one that never comes: 30 February.
	explicit Cron(const std::string &schedule);

	// The first instant after this one. A time that the clocks jump over comes at the jump, one
	// that they show twice comes once.
	Instant next(Instant after, const Zone &zone) const;

private:
	bool is_possible() const;
	bool is_day(std::chrono::local_days day) const;
	WallClock first_from(std::chrono::local_time<std::chrono::minutes> wall_clock) const;

	// By number; 0 and 7 are Sunday.
	std::bitset<60> minutes_, hours_, days_, months_, weekdays_;
	// A field that begins with * leaves the choice of the day to the other; else either will do.
	bool any_day_, any_weekday_;
};

} // namespace automation::core
