// So many in such a time: a token bucket.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace automation::core {

struct Rate {
	int count;
	std::chrono::milliseconds per;
	bool operator==(const Rate &) const = default;
};

// "10/s", "100/min", "5000/h", "20000/d". Throws Failure 22023.
Rate parse_rate(std::string_view name, std::string_view value);

// Holds what one second may bring, and one at least: so what has waited leaves evenly, and no
// restart lets more through. Instants are of any clock that only goes forward.
class Bucket {
public:
	using Instant = std::chrono::milliseconds;

	Bucket(Rate rate, Instant now) : rate_(rate), filled_at_(now) {}

	int content(Instant now)
	{
		const auto share = (now - filled_at_).count() * rate_.count; // in tokens times per
		const std::int64_t most =
			std::max<std::int64_t>(std::int64_t{rate_.count} * 1'000, rate_.per.count());
		level_ = std::min(level_ + share, most);
		filled_at_ = now;
		return static_cast<int>(level_ / rate_.per.count());
	}
	void take(int tokens) { level_ -= tokens * rate_.per.count(); }
	// Until there is one more.
	std::chrono::milliseconds wait() const
	{
		const std::int64_t missing = rate_.per.count() - level_ % rate_.per.count();
		return std::chrono::milliseconds((missing + rate_.count - 1) / rate_.count);
	}
	Rate rate() const { return rate_; }

private:
	Rate rate_;
	Instant filled_at_;
	std::int64_t level_ = 0; // in tokens times per
};

} // namespace automation::core
