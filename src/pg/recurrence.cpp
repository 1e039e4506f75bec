#include "pg/postgres.hpp"

#include "core/cron.hpp"
#include "core/failure.hpp"
#include "pg/invocation.hpp"
#include "pg/recurrence.hpp"
#include "pg/zone.hpp"

namespace automation::pg {

namespace {

// Always counted from the start, so that the 31st of a month stays the 31st.
class Recurrence {
public:
	Recurrence(TimestampTz start, const Delay &every, const Zone &zone)
		: start_(start), every_(every), zone_(zone)
	{
		if (every.months < 0 || every.days < 0 || every.microseconds < 0 ||
			(every.months | every.days | every.microseconds) == 0)
			throw core::Failure("22023", "recurrence interval must be positive");
		if (every.months > 1'200 || every.days > 36'525 ||
			every.microseconds > 36'525 * USECS_PER_DAY)
			throw core::Failure("22023", "recurrence interval must not exceed 100 years");
		calendar_instant(start);
	}

	TimestampTz first_after(TimestampTz after) const
	{
		calendar_instant(after);
		if (start_ > after)
			return start_;
		std::int64_t low = 0; // not after it
		std::int64_t high = most_before(after) + 1;
		while (high - low > 1) {
			const std::int64_t middle = low + (high - low) / 2;
			(at(middle) > after ? high : low) = middle;
		}
		return at(high);
	}

private:
	std::int64_t shortest() const
	{
		return (every_.months * 28LL + every_.days) * USECS_PER_DAY + every_.microseconds;
	}

	// Clocks may be set on or back by a day, at most, between the two.
	std::int64_t most_before(TimestampTz after) const
	{
		return (after - start_ + 2 * USECS_PER_DAY) / shortest();
	}

	TimestampTz at(std::int64_t count) const
	{
		Delay sum{};
		if (__builtin_mul_overflow(every_.months, count, &sum.months) ||
			__builtin_mul_overflow(every_.days, count, &sum.days) ||
			__builtin_mul_overflow(every_.microseconds, count, &sum.microseconds))
			throw core::Failure("22008", "interval out of range");
		return zone_.add(start_, sum);
	}

	TimestampTz start_;
	Delay every_;
	const Zone &zone_;
};

} // namespace

std::uintptr_t check_cron(FunctionCallInfoBaseData *call)
{
	if (call->args[0].isnull)
		throw core::Failure("22004", "cron schedule must not be null");
	const core::Cron cron(text_argument(call, 0));
	return call->args[0].value;
}

std::uintptr_t cron_next(FunctionCallInfoBaseData *call)
{
	const core::Cron cron(text_argument(call, 0));
	const core::Instant after = calendar_instant(DatumGetTimestampTz(call->args[1].value));
	return TimestampTzGetDatum(timestamp(cron.next(after, Zone(text_argument(call, 2)))));
}

std::uintptr_t recur_next(FunctionCallInfoBaseData *call)
{
	const Zone zone(text_argument(call, 3));
	const Recurrence recurrence(
		DatumGetTimestampTz(call->args[0].value), delay_argument(call, 1), zone);
	return TimestampTzGetDatum(recurrence.first_after(DatumGetTimestampTz(call->args[2].value)));
}

} // namespace automation::pg
