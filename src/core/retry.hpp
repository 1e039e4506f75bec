// Whether another attempt follows, and when.
#pragma once

#include "core/backoff.hpp"
#include "core/message.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace automation::core {

struct RetryPolicy {
	enum class Unknown { repeat, hold }; // what may have arrived already

	int max_attempts = 10;
	Backoff backoff = {};
	std::vector<std::chrono::milliseconds> schedule = {}; // instead, when it is not empty
	Unknown unknown = Unknown::repeat;
	std::optional<std::chrono::milliseconds> expires_after = {}; // since the rule fired

	std::chrono::milliseconds wait_after(int attempt, std::uint64_t random) const;
};

// The options that say it, of a channel or of a step.
std::span<const std::string_view> policy_options();

// Options that are not there stay as they were. Throws Failure 22023.
RetryPolicy parse_policy(const Entries &options, RetryPolicy otherwise);

struct Decision {
	Outcome outcome; // retry or unknown without retry_in is the end of it
	std::string reason;
	std::optional<std::chrono::milliseconds> retry_in;
};

// attempt counts from 1; random is any number.
Decision decide(const Verdict &verdict, int attempt, const RetryPolicy &policy,
	std::uint64_t random, std::optional<std::chrono::milliseconds> expires_in = {});

} // namespace automation::core
