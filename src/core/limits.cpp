#include "core/limits.hpp"

#include "core/option_value.hpp"

#include <array>
#include <chrono>

namespace automation::core {

namespace {

constexpr std::array<std::string_view, 4> option_names = {
	"rate_limit", "max_in_flight", "breaker_failures", "breaker_pause"};
constexpr std::chrono::hours day{24};

} // namespace

std::span<const std::string_view> limit_options()
{
	return option_names;
}

Limits parse_limits(const Entries &options)
{
	Limits limits;
	for (const auto &[name, value] : options) {
		if (name == "rate_limit")
			limits.rate = parse_rate(name, value);
		else if (name == "max_in_flight")
			limits.max_in_flight = parse_integer(name, value, 1, 1'000);
		else if (name == "breaker_failures")
			limits.breaker.failures = parse_integer(name, value, 0, 1'000);
		else if (name == "breaker_pause")
			limits.breaker.pause = parse_duration(name, value, day);
	}
	limits.breaker.longest_pause = std::max(limits.breaker.longest_pause, limits.breaker.pause);
	return limits;
}

} // namespace automation::core
