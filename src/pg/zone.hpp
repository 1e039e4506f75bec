// Time zones: what the clocks of a place show, and when they show it. Timestamps are PostgreSQL's:
// microseconds since 2000.
#pragma once

#include <cstdint>
#include <string>

struct FunctionCallInfoBaseData;
struct pg_tz;

namespace automation::pg {

class Zone {
public:
	explicit Zone(const std::string &name); // also a POSIX string; Failure 22023

	std::int64_t wall_clock(std::int64_t instant) const;
	// The first instant at which the clocks show this or a later time: the transition when they
	// jump over it, the first time when they show it twice.
	std::int64_t instant(std::int64_t wall_clock) const;

private:
	pg_tz *zone_;
};

// SQL entry points.
std::uintptr_t local_instant(FunctionCallInfoBaseData *call);
std::uintptr_t add_to_instant(FunctionCallInfoBaseData *call);
std::uintptr_t named_zone(FunctionCallInfoBaseData *call);
std::uintptr_t check_zone(FunctionCallInfoBaseData *call);

} // namespace automation::pg
