// The engine's only clock.
#pragma once

#include "pg/spi.hpp"

#include <cstdint>
#include <limits>

namespace automation::pg {

using Instant = std::int64_t; // microseconds, counted as PostgreSQL counts them
inline constexpr Instant never = std::numeric_limits<Instant>::max();	   // infinity
inline constexpr Instant before_all = std::numeric_limits<Instant>::min(); // -infinity
constexpr bool is_finite(Instant time)
{
	return time != never && time != before_all;
}

Instant present();			  // when the transaction began, or what a test has set it to
void set_clock(Instant time); // until the end of this transaction
bool clock_is_set();

// What is done to the clock while it lives is undone.
class ClockKept {
public:
	ClockKept();
	~ClockKept();
	ClockKept(const ClockKept &) = delete;
	ClockKept &operator=(const ClockKept &) = delete;

private:
	Instant time_;
	std::uint32_t transaction_;
};

// What compiled delays count from: now, but for the time that this lives.
class CountingFrom {
public:
	explicit CountingFrom(Instant base);
	~CountingFrom();
	CountingFrom(const CountingFrom &) = delete;
	CountingFrom &operator=(const CountingFrom &) = delete;
};
Instant base();

Instant later(Instant time, Datum interval);

Value instant(Instant time); // as a parameter, of type timestamptz
std::string iso_text(Instant time);
// The same since 1970.
constexpr std::int64_t unix_microseconds(Instant time)
{
	constexpr std::int64_t from_1970_to_2000 = 946'684'800'000'000;
	return time + from_1970_to_2000;
}
inline Instant to_instant(Datum timestamptz)
{
	return static_cast<Instant>(timestamptz);
}

} // namespace automation::pg
