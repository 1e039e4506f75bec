// Instants, what the clocks of a place show, and what leads from one to the other.
#pragma once

#include <chrono>

namespace automation::core {

using Instant = std::chrono::sys_time<std::chrono::microseconds>;
using WallClock = std::chrono::local_time<std::chrono::microseconds>;

// A time zone. instant() answers the first instant at which the clocks show this or a later time.
class Zone {
public:
	virtual ~Zone() = default;
	virtual WallClock wall_clock(Instant instant) const = 0;
	virtual Instant instant(WallClock wall_clock) const = 0;
};

} // namespace automation::core
