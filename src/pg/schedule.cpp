#include "pg/postgres.hpp"

#include "core/calendar.hpp"
#include "core/failure.hpp"
#include "pg/invocation.hpp"
#include "pg/schedule.hpp"
#include "pg/zone.hpp"

namespace automation::pg {

namespace {

// An int4multirange of seconds.
core::Week week_argument(FunctionCallInfoBaseData *call, int number)
{
	struct Spans {
		core::Span *values;
		int count;
	};
	const Spans spans = guard([&] {
		const MultirangeType *week = DatumGetMultirangeTypeP(call->args[number].value);
		TypeCacheEntry *type =
			lookup_type_cache(MultirangeTypeGetOid(week), TYPECACHE_MULTIRANGE_INFO)->rngtype;
		RangeType **ranges = nullptr;
		int count = 0;
		multirange_deserialize(type, week, &count, &ranges);
		auto *values = static_cast<core::Span *>(palloc(count * sizeof(core::Span)));
		for (int i = 0; i < count; ++i) {
			RangeBound lower, upper;
			bool is_empty = false;
			range_deserialize(type, ranges[i], &lower, &upper, &is_empty);
			values[i] = {std::chrono::seconds(DatumGetInt32(lower.val)),
				std::chrono::seconds(DatumGetInt32(upper.val))};
		}
		return Spans{values, count};
	});
	return {spans.values, spans.values + spans.count};
}

std::vector<core::Day> days_argument(FunctionCallInfoBaseData *call, int number)
{
	constexpr core::Day epoch(std::chrono::days(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE));
	const ArrayType *array = guard([&] { return DatumGetArrayTypeP(call->args[number].value); });
	const auto *first = reinterpret_cast<const DateADT *>(ARR_DATA_PTR(array));
	const int count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	std::vector<core::Day> days;
	days.reserve(static_cast<std::size_t>(count));
	for (int i = 0; i < count; ++i)
		days.push_back(epoch + std::chrono::days(first[i]));
	return days;
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
	if (plan.workdays < -1'000 || plan.workdays > 1'000)
		throw core::Failure("22023", "workdays must be a whole number of at most 1000");
	plan.working_week = week_argument(call, 4);
	plan.roll =
		DatumGetBool(call->args[5].value) ? core::Plan::Roll::previous : core::Plan::Roll::next;
	if (const int second = integer_argument(call, 6); second >= 0)
		plan.time_of_day = std::chrono::seconds(second);
	plan.day_itself = DatumGetBool(call->args[7].value);
	plan.week = week_argument(call, 8);
	plan.holidays = days_argument(call, 9);
	const TimestampTz start = zone.add(base, delay_argument(call, 1));
	return TimestampTzGetDatum(
		timestamp(core::schedule(plan, calendar_instant(base), calendar_instant(start), zone)));
}

} // namespace automation::pg
