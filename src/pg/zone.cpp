#include "pg/postgres.hpp"

#include "core/failure.hpp"
#include "pg/invocation.hpp"
#include "pg/scope.hpp"
#include "pg/zone.hpp"

namespace automation::pg {

namespace {

using std::chrono::microseconds;

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

// std::chrono counts from 1970.
constexpr std::chrono::seconds epoch(seconds_before_2000);

Timestamp checked(Timestamp timestamp)
{
	if (!IS_VALID_TIMESTAMP(timestamp))
		throw core::Failure("22008", "timestamp out of range");
	return timestamp;
}

// TimeZone of postgresql.conf when the server started. In a session the setting is what the client
// or its role wants, and what was configured can no longer be asked for.
char configured_zone[TZ_STRLEN_MAX + 1] = "UTC";

// In effect from "from" until "until"; for ever when the clocks do not change any more.
struct Offset {
	pg_time_t from;
	std::optional<pg_time_t> until;
	long seconds;
};

Offset offset_at(pg_time_t from, pg_tz *zone)
{
	long seconds = 0, next_seconds = 0;
	int is_dst = 0, next_is_dst = 0;
	pg_time_t until = 0;
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

Delay delay_argument(FunctionCallInfoBaseData *call, int number)
{
	const Interval *interval = DatumGetIntervalP(call->args[number].value);
	return {interval->month, interval->day, interval->time};
}

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

std::int64_t Zone::add(std::int64_t instant, const Delay &delay) const
{
	if (TIMESTAMP_NOT_FINITE(instant))
		return instant;
	if (delay.months != 0 || delay.days != 0) {
		Interval days{0, delay.days, delay.months};
		const Timestamp shown = wall_clock(instant);
		instant = this->instant(guard([&] {
			return DatumGetTimestamp(DirectFunctionCall2(
				timestamp_pl_interval, TimestampGetDatum(shown), IntervalPGetDatum(&days)));
		}));
	}
	Timestamp sum = 0;
	if (__builtin_add_overflow(instant, delay.microseconds, &sum))
		throw core::Failure("22008", "timestamp out of range");
	return checked(sum);
}

core::WallClock Zone::wall_clock(core::Instant instant) const
{
	return core::WallClock(microseconds(wall_clock(timestamp(instant))) + epoch);
}

core::Instant Zone::instant(core::WallClock wall_clock) const
{
	return calendar_instant(instant((wall_clock.time_since_epoch() - epoch).count()));
}

core::Instant calendar_instant(std::int64_t timestamp)
{
	constexpr std::int64_t limit = 30'000 * 366LL * USECS_PER_DAY;
	if (timestamp < -limit || timestamp > limit)
		throw core::Failure("22008", "timestamp out of range for a calendar");
	return core::Instant(microseconds(timestamp) + epoch);
}

std::int64_t timestamp(core::Instant instant)
{
	return (instant.time_since_epoch() - epoch).count();
}

void remember_cluster_zone()
{
	if (process_shared_preload_libraries_in_progress)
		strlcpy(configured_zone, pg_get_timezone_name(session_timezone), sizeof(configured_zone));
}

std::uintptr_t local_instant(FunctionCallInfoBaseData *call)
{
	const Zone zone(text_argument(call, 1));
	return TimestampTzGetDatum(zone.instant(DatumGetTimestamp(call->args[0].value)));
}

std::uintptr_t add_to_instant(FunctionCallInfoBaseData *call)
{
	const Zone zone(text_argument(call, 2));
	return TimestampTzGetDatum(
		zone.add(DatumGetTimestampTz(call->args[0].value), delay_argument(call, 1)));
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

std::uintptr_t cluster_zone(FunctionCallInfoBaseData *)
{
	return text_result(configured_zone);
}

} // namespace automation::pg
