#include "core/retry.hpp"

#include "core/failure.hpp"
#include "core/option_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace automation::core {

namespace {

using std::chrono::milliseconds;

constexpr int most_attempts = 50;
constexpr std::chrono::hours day{24};
constexpr auto longest_expiry = 365 * day;

constexpr std::array<std::string_view, 6> option_names = {"max_attempts", "retry_delay",
	"retry_max_delay", "retry_schedule", "on_unknown", "expires_after"};

bool may_repeat(Outcome outcome, const RetryPolicy &policy)
{
	if (outcome == Outcome::unknown)
		return policy.unknown == RetryPolicy::Unknown::repeat;
	return outcome == Outcome::retry;
}

// What may have arrived stays in doubt, whatever ends it.
Decision no_more(const Verdict &verdict, Outcome end, std::string reason)
{
	return {.outcome = verdict.outcome == Outcome::unknown ? Outcome::unknown : end,
		.reason = std::move(reason),
		.retry_in = {}};
}

std::vector<milliseconds> parse_schedule(std::string_view name, std::string_view list)
{
	std::vector<milliseconds> waits;
	for (;;) {
		const std::size_t comma = std::min(list.find(','), list.size());
		std::string_view wait = list.substr(0, comma);
		wait.remove_prefix(std::min(wait.find_first_not_of(' '), wait.size()));
		waits.push_back(parse_duration(name, wait, day));
		if (comma == list.size())
			break;
		list.remove_prefix(comma + 1);
	}
	if (waits.size() >= most_attempts)
		throw Failure("22023", fmt::format("{} has {} waits", name, waits.size()),
			{.detail = fmt::format("The maximum is {}.", most_attempts - 1)});
	return waits;
}

RetryPolicy::Unknown parse_unknown(std::string_view name, std::string_view word)
{
	if (word == "repeat")
		return RetryPolicy::Unknown::repeat;
	if (word == "hold")
		return RetryPolicy::Unknown::hold;
	throw Failure("22023", fmt::format("unrecognized {}: \"{}\"", name, word),
		{.hint = "Valid values are: repeat, hold."});
}

} // namespace

std::span<const std::string_view> policy_options()
{
	return option_names;
}

RetryPolicy parse_policy(const Entries &options, RetryPolicy otherwise)
{
	RetryPolicy policy = std::move(otherwise);
	const bool counted = find(options, "max_attempts") != nullptr;
	for (const auto &[name, value] : options) {
		if (name == "max_attempts") {
			policy.max_attempts = parse_integer(name, value, 1, most_attempts);
		} else if (name == "retry_delay") {
			policy.backoff.first = parse_duration(name, value, day);
		} else if (name == "retry_max_delay") {
			policy.backoff.ceiling = parse_duration(name, value, day);
		} else if (name == "retry_schedule") {
			policy.schedule = parse_schedule(name, value);
			if (!counted)
				policy.max_attempts = static_cast<int>(policy.schedule.size()) + 1;
		} else if (name == "on_unknown") {
			policy.unknown = parse_unknown(name, value);
		} else if (name == "expires_after") {
			policy.expires_after = parse_duration(name, value, longest_expiry);
		}
	}
	return policy;
}

milliseconds RetryPolicy::wait_after(int attempt, std::uint64_t random) const
{
	if (schedule.empty())
		return backoff.after(attempt, random);
	const auto place = std::min(static_cast<std::size_t>(std::max(attempt, 1)), schedule.size());
	return jittered(schedule[place - 1], random);
}

Decision decide(const Verdict &verdict, int attempt, const RetryPolicy &policy,
	std::uint64_t random, std::optional<milliseconds> expires_in)
{
	if (!may_repeat(verdict.outcome, policy))
		return {.outcome = verdict.outcome, .reason = verdict.reason, .retry_in = {}};
	if (attempt >= policy.max_attempts)
		return no_more(verdict, Outcome::dead,
			fmt::format("gave up after {} {}: {}", attempt, attempt == 1 ? "attempt" : "attempts",
				verdict.reason));
	const milliseconds asked = verdict.retry_after.value_or(std::chrono::seconds(0));
	const milliseconds wait = std::max(policy.wait_after(attempt, random), asked);
	if (expires_in && wait > *expires_in)
		return no_more(
			verdict, Outcome::expired, "expires before the next attempt: " + verdict.reason);
	return {.outcome = verdict.outcome, .reason = verdict.reason, .retry_in = wait};
}

} // namespace automation::core
