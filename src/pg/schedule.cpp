#include "pg/postgres.hpp"

#include "core/calendar.hpp"
#include "pg/invocation.hpp"
#include "pg/schedule.hpp"
#include "pg/zone.hpp"

namespace automation::pg {

namespace {

// An array without nulls of integers or dates.
std::vector<std::int32_t> numbers(FunctionCallInfoBaseData *call, int number)
{
	const ArrayType *array = guard([&] { return DatumGetArrayTypeP(call->args[number].value); });
	const auto *first = reinterpret_cast<const std::int32_t *>(ARR_DATA_PTR(array));
	return {first, first + ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))};
}

core::Week week(FunctionCallInfoBaseData *call, int number)
{
	const std::vector<std::int32_t> bounds = numbers(call, number);
	core::Week spans;
	for (std::size_t i = 0; i + 1 < bounds.size(); i += 2)
		spans.push_back({std::chrono::seconds(bounds[i]), std::chrono::seconds(bounds[i + 1])});
	return spans;
}

std::vector<core::Day> days(FunctionCallInfoBaseData *call, int number)
{
	constexpr core::Day epoch(std::chrono::days(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE));
	std::vector<core::Day> found;
	for (const std::int32_t day : numbers(call, number))
		found.push_back(epoch + std::chrono::days(day));
	return found;
}

} // namespace

std::uintptr_t schedule(FunctionCallInfoBaseData *call)
{
	const TimestampTz base = DatumGetTimestampTz(call->args[0].value);
	if (TIMESTAMP_NOT_FINITE(base))
		return TimestampTzGetDatum(base);
	const Zone zone(text_argument(call, 2));
	core::Plan plan;
	plan.workdays = integer_argument(call, 3);
	plan.working_week = week(call, 4);
	plan.roll =
		DatumGetBool(call->args[5].value) ? core::Plan::Roll::previous : core::Plan::Roll::next;
	if (!call->args[6].isnull)
		plan.time_of_day = std::chrono::seconds(integer_argument(call, 6));
	plan.day_itself = DatumGetBool(call->args[7].value);
	plan.week = week(call, 8);
	plan.holidays = days(call, 9);
	const TimestampTz start = zone.add(base, delay_argument(call, 1));
	return TimestampTzGetDatum(
		timestamp(core::schedule(plan, calendar_instant(base), calendar_instant(start), zone)));
}

} // namespace automation::pg
