// PostgreSQL's time zones and its instants. A timestamp is what PostgreSQL stores: microseconds
// since 2000.
#pragma once

#include "core/zone.hpp"

#include <cstdint>
#include <string>

struct FunctionCallInfoBaseData;
struct pg_tz;

namespace automation::pg {

// An interval as PostgreSQL keeps it.
struct Delay {
	int months;
	int days;
	std::int64_t microseconds;
};
Delay delay_argument(FunctionCallInfoBaseData *call, int number);

class Zone : public core::Zone {
public:
	explicit Zone(const std::string &name); // also a POSIX string; Failure 22023

	std::int64_t wall_clock(std::int64_t instant) const;
	std::int64_t instant(std::int64_t wall_clock) const;
	// Months and days as the wall clock counts them, the rest as it passes.
	std::int64_t add(std::int64_t instant, const Delay &delay) const;

	core::WallClock wall_clock(core::Instant instant) const override;
	core::Instant instant(core::WallClock wall_clock) const override;

private:
	pg_tz *zone_;
};

// Neither infinite nor beyond the years that std::chrono has a calendar for: Failure 22008.
core::Instant calendar_instant(std::int64_t timestamp);
std::int64_t timestamp(core::Instant instant);

void remember_cluster_zone(); // in _PG_init

// SQL entry points.
std::uintptr_t local_instant(FunctionCallInfoBaseData *call);
std::uintptr_t add_to_instant(FunctionCallInfoBaseData *call);
std::uintptr_t named_zone(FunctionCallInfoBaseData *call);
std::uintptr_t check_zone(FunctionCallInfoBaseData *call);
std::uintptr_t cluster_zone(FunctionCallInfoBaseData *call);

} // namespace automation::pg
