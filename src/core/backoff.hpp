// The wait before the next attempt.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace automation::core {

// Gives or takes a fifth, so that messages that failed together do not come back together. random
// is any number.
constexpr std::chrono::milliseconds jittered(std::chrono::milliseconds wait, std::uint64_t random)
{
	const std::int64_t fifth = wait.count() / 5;
	const std::uint64_t span = static_cast<std::uint64_t>(2 * fifth + 1);
	return wait - std::chrono::milliseconds(fifth) +
		std::chrono::milliseconds(static_cast<std::int64_t>(random % span));
}

struct Backoff {
	std::chrono::milliseconds first{5'000};
	std::chrono::milliseconds ceiling{std::chrono::hours(6)};
	int factor = 3;

	// Grows from first up to ceiling; attempts count from 1.
	constexpr std::chrono::milliseconds after(int attempt, std::uint64_t random) const
	{
		std::chrono::milliseconds wait = std::min(first, ceiling);
		for (int step = 1; step < attempt && wait < ceiling; ++step)
			wait = wait > ceiling / factor ? ceiling : wait * factor; // never overflows
		return jittered(wait, random);
	}
};

} // namespace automation::core
