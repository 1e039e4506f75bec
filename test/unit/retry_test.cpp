#include "core/retry.hpp"

#include <gtest/gtest.h>

#include <limits>

using namespace automation::core;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr std::uint64_t any = 12345;

Verdict failing(std::optional<seconds> retry_after = {})
{
	return {.outcome = Outcome::retry, .reason = "HTTP 503", .retry_after = retry_after};
}

} // namespace

static_assert(Backoff{}.after(1, 0) == milliseconds(4'000));
static_assert(Backoff{}.after(1, 1'000) == milliseconds(5'000));

TEST(Backoff, grows_up_to_its_ceiling)
{
	const Backoff backoff;
	milliseconds before{0};
	for (int attempt = 1; attempt < 9; ++attempt) {
		const milliseconds now = backoff.after(attempt, 0);
		EXPECT_GT(now, before) << attempt;
		before = now;
	}
	EXPECT_EQ(backoff.after(50, 0), minutes(288));
	EXPECT_EQ(backoff.after(std::numeric_limits<int>::max(), 0), minutes(288));
}

TEST(Backoff, stays_within_a_fifth)
{
	const Backoff backoff;
	for (std::uint64_t random = 0; random < 100'000; random += 7) {
		const milliseconds wait = backoff.after(2, random);
		EXPECT_GE(wait, milliseconds(12'000));
		EXPECT_LE(wait, milliseconds(18'000));
	}
	EXPECT_LE(backoff.after(1, std::numeric_limits<std::uint64_t>::max()), milliseconds(6'000));
}

TEST(Backoff, takes_odd_settings)
{
	EXPECT_EQ((Backoff{.first = milliseconds(0)}.after(9, any)), milliseconds(0));
	EXPECT_LE((Backoff{.first = hours(24), .ceiling = hours(1)}.after(1, any)), minutes(72));
	EXPECT_GT((Backoff{.factor = 1'000'000'000}.after(30, any)), hours(4));
}

TEST(Retry, follows_until_the_attempts_are_used_up)
{
	const RetryPolicy policy{.max_attempts = 3};
	EXPECT_EQ(decide(failing(), 1, policy, any).outcome, Outcome::retry);
	EXPECT_TRUE(decide(failing(), 2, policy, any).retry_in.has_value());
	const Decision last = decide(failing(), 3, policy, any);
	EXPECT_EQ(last.outcome, Outcome::dead);
	EXPECT_EQ(last.reason, "gave up after 3 attempts: HTTP 503");
	EXPECT_FALSE(last.retry_in.has_value());
	EXPECT_EQ(
		decide(failing(), 1, {.max_attempts = 1}, any).reason, "gave up after 1 attempt: HTTP 503");
}

TEST(Retry, waits_at_least_as_long_as_asked)
{
	EXPECT_EQ(decide(failing(seconds(3'600)), 1, {}, any).retry_in, milliseconds(3'600'000));
	EXPECT_GE(*decide(failing(seconds(1)), 1, {}, any).retry_in, milliseconds(4'000));
}

TEST(Retry, what_may_have_arrived_is_repeated_only_where_that_does_no_harm)
{
	const Verdict verdict{.outcome = Outcome::unknown, .reason = "no answer"};
	const Decision repeated = decide(verdict, 1, {}, any);
	EXPECT_EQ(repeated.outcome, Outcome::unknown);
	EXPECT_TRUE(repeated.retry_in.has_value());
	const Decision held = decide(verdict, 1, {.unknown = RetryPolicy::Unknown::hold}, any);
	EXPECT_EQ(held.outcome, Outcome::unknown);
	EXPECT_FALSE(held.retry_in.has_value());
	const Decision last = decide(verdict, 10, {}, any);
	EXPECT_EQ(last.outcome, Outcome::unknown) << "it may have arrived";
	EXPECT_EQ(last.reason, "gave up after 10 attempts: no answer");
	EXPECT_FALSE(last.retry_in.has_value());
	EXPECT_EQ(decide(verdict, 10, {.unknown = RetryPolicy::Unknown::hold}, any).outcome,
		Outcome::unknown);
}

TEST(Retry, ends_are_ends)
{
	for (const Outcome outcome : {Outcome::delivered, Outcome::dead}) {
		const Decision decision = decide({.outcome = outcome, .reason = "r"}, 1, {}, any);
		EXPECT_EQ(decision.outcome, outcome);
		EXPECT_EQ(decision.reason, "r");
		EXPECT_FALSE(decision.retry_in.has_value());
	}
}
