#include "pg/postgres.hpp"

#include "core/failure.hpp"
#include "pg/invocation.hpp"
#include "pg/scope.hpp"
#include "pg/zone.hpp"

namespace automation::pg {

namespace {

constexpr pg_time_t seconds_before_2000 =
	static_cast<pg_time_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;

// Since 1970, as time zones count; rounded down.
pg_time_t seconds_of(Timestamp timestamp)
{
	const pg_time_t rounded = timestamp / USECS_PER_SEC - (timestamp % USECS_PER_SEC < 0 ? 1 : 0);
	return rounded + seconds_before_2000;
}

Timestamp timestamp_of(pg_time_t seconds)
{
	return (seconds - seconds_before_2000) * USECS_PER_SEC;
}

Timestamp checked(Timestamp timestamp)
{
	if (!IS_VALID_TIMESTAMP(timestamp))
		throw core::Failure("22008", "timestamp out of range");
	return timestamp;
}

// In effect from "from" until "until"; for ever when the clocks do not change any more.
struct Offset {
	pg_time_t from;
	std::optional<pg_time_t> until;
	long seconds;
};

Offset offset_at(pg_time_t from, pg_tz *zone)
{
	long seconds, next_seconds;
	int is_dst, next_is_dst;
	pg_time_t until;
	const int found =
		pg_next_dst_boundary(&from, &seconds, &is_dst, &until, &next_seconds, &next_is_dst, zone);
	if (found < 0)
		throw core::Failure("22008", "timestamp out of range");
	return {from, found > 0 ? std::optional(until) : std::nullopt, seconds};
}

pg_tz *zone_called(const std::string &name)
{
	const char *characters = name.c_str();
	return guard([&] { return pg_tzset(characters); });
}

} // namespace

Zone::Zone(const std::string &name) : zone_(zone_called(name))
{
	if (!zone_)
		throw core::Failure("22023", "time zone \"" + name + "\" not recognized");
}

std::int64_t Zone::wall_clock(std::int64_t instant) const
{
	if (TIMESTAMP_NOT_FINITE(instant))
		return instant;
	return checked(instant + offset_at(seconds_of(instant), zone_).seconds * USECS_PER_SEC);
}

std::int64_t Zone::instant(std::int64_t wall_clock) const
{
	if (TIMESTAMP_NOT_FINITE(wall_clock))
		return wall_clock;
	const pg_time_t shown = seconds_of(wall_clock);
	// No clock is a day ahead of Greenwich.
	Offset offset = offset_at(shown - SECS_PER_DAY, zone_);
	while (offset.until && shown - offset.seconds >= *offset.until)
		offset = offset_at(*offset.until, zone_);
	if (shown - offset.seconds < offset.from)
		return checked(timestamp_of(offset.from));
	return checked(wall_clock - offset.seconds * USECS_PER_SEC);
}

std::uintptr_t local_instant(FunctionCallInfoBaseData *call)
{
	const Zone zone(text_argument(call, 1));
	return TimestampTzGetDatum(zone.instant(DatumGetTimestamp(call->args[0].value)));
}

std::uintptr_t add_to_instant(FunctionCallInfoBaseData *call)
{
	TimestampTz instant = DatumGetTimestampTz(call->args[0].value);
	const Interval delay = *DatumGetIntervalP(call->args[1].value);
	if (TIMESTAMP_NOT_FINITE(instant))
		return call->args[0].value;
	if (delay.month != 0 || delay.day != 0) {
		const Zone zone(text_argument(call, 2));
		Interval days{0, delay.day, delay.month};
		const Timestamp shown = zone.wall_clock(instant);
		instant = zone.instant(guard([&] {
			return DatumGetTimestamp(DirectFunctionCall2(
				timestamp_pl_interval, TimestampGetDatum(shown), IntervalPGetDatum(&days)));
		}));
	}
	Interval time{delay.time, 0, 0};
	return guard([&] {
		return DirectFunctionCall2(
			timestamptz_pl_interval, TimestampTzGetDatum(instant), IntervalPGetDatum(&time));
	});
}

std::uintptr_t named_zone(FunctionCallInfoBaseData *call)
{
	const std::string name = text_argument(call, 0);
	call->isnull = !is_time_zone(name);
	return call->isnull ? 0 : text_result(pg_get_timezone_name(zone_called(name)));
}

std::uintptr_t check_zone(FunctionCallInfoBaseData *call)
{
	if (call->args[0].isnull)
		throw core::Failure("22004", "time zone must not be null");
	const std::string name = text_argument(call, 0);
	if (!zone_called(name))
		throw core::Failure("22023", "time zone \"" + name + "\" not recognized");
	if (!is_time_zone(name))
		throw core::Failure("22023", "time zone \"" + name + "\" is not a named time zone",
			{.hint = "Use a name from pg_timezone_names."});
	return text_result(pg_get_timezone_name(zone_called(name)));
}

} // namespace automation::pg
