// Whether another attempt follows, and when.
#pragma once

#include "core/backoff.hpp"
#include "core/message.hpp"

namespace automation::core {

struct RetryPolicy {
	enum class Unknown { repeat, hold }; // what may have arrived already

	int max_attempts = 10;
	Backoff backoff = {};
	Unknown unknown = Unknown::repeat;
};

struct Decision {
	Outcome outcome; // retry or unknown without retry_in is the end of it
	std::string reason;
	std::optional<std::chrono::milliseconds> retry_in;
};

// attempt counts from 1; random is any number.
Decision decide(
	const Verdict &verdict, int attempt, const RetryPolicy &policy, std::uint64_t random);

} // namespace automation::core
