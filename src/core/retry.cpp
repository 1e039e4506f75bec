#include "core/retry.hpp"

namespace automation::core {

namespace {

bool may_repeat(Outcome outcome, const RetryPolicy &policy)
{
	if (outcome == Outcome::unknown)
		return policy.unknown == RetryPolicy::Unknown::repeat;
	return outcome == Outcome::retry;
}

} // namespace

Decision decide(
	const Verdict &verdict, int attempt, const RetryPolicy &policy, std::uint64_t random)
{
	if (!may_repeat(verdict.outcome, policy))
		return {.outcome = verdict.outcome, .reason = verdict.reason, .retry_in = {}};
	if (attempt >= policy.max_attempts)
		return {.outcome = Outcome::dead,
			.reason = "gave up after " + std::to_string(attempt) +
				(attempt == 1 ? " attempt: " : " attempts: ") + verdict.reason,
			.retry_in = {}};
	const std::chrono::milliseconds asked = verdict.retry_after.value_or(std::chrono::seconds(0));
	return {.outcome = verdict.outcome,
		.reason = verdict.reason,
		.retry_in = std::max(policy.backoff.after(attempt, random), asked)};
}

} // namespace automation::core
