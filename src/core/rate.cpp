#include "core/rate.hpp"

#include "core/failure.hpp"
#include "core/option_value.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace automation::core {

Rate parse_rate(std::string_view name, std::string_view value)
{
	constexpr int most = 1'000'000;
	const std::size_t slash = std::min(value.find('/'), value.size());
	const std::string_view unit = value.substr(std::min(slash + 1, value.size()));
	for (const std::string_view known : {"s", "min", "h", "d"})
		if (unit == known)
			return {parse_integer(name, value.substr(0, slash), 1, most),
				parse_duration(name, fmt::format("1{}", unit), std::chrono::hours(24))};
	throw Failure("22023", fmt::format("invalid value for option \"{}\": \"{}\"", name, value),
		{.hint = "Write it as \"10/s\", \"100/min\", \"5000/h\" or \"20000/d\"."});
}

} // namespace automation::core
