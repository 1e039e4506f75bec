#include "pg/postgres.hpp"

#include "pg/clock.hpp"

namespace automation::pg {

namespace {

// A local transaction's number is never used again in a backend's life, but for a wrap-around.
TimestampTz set_time;
LocalTransactionId set_in = InvalidLocalTransactionId;

Instant base_time = never;

} // namespace

CountingFrom::CountingFrom(Instant base)
{
	base_time = base;
}

CountingFrom::~CountingFrom()
{
	base_time = never;
}

ClockKept::ClockKept() : time_(set_time), transaction_(set_in) {}

ClockKept::~ClockKept()
{
	set_time = time_;
	set_in = transaction_;
}

Instant base()
{
	return base_time == never ? present() : base_time;
}

bool clock_is_set()
{
	return LocalTransactionIdIsValid(set_in) && set_in == MyProc->lxid;
}

Instant present()
{
	return clock_is_set() ? set_time : GetCurrentTransactionStartTimestamp();
}

void set_clock(Instant time)
{
	set_time = time;
	set_in = MyProc->lxid;
}

Instant later(Instant time, Datum interval)
{
	return guard([&] {
		return DatumGetTimestampTz(
			DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(time), interval));
	});
}

Value instant(Instant time)
{
	return Value::datum(TimestampTzGetDatum(time), TIMESTAMPTZOID);
}

std::string iso_text(Instant time)
{
	return guard([&]() -> const char * {
		auto *text = static_cast<char *>(palloc(MAXDATELEN + 1));
		return JsonEncodeDateTime(text, TimestampTzGetDatum(time), TIMESTAMPTZOID, nullptr);
	});
}

} // namespace automation::pg
