#include "core/breaker.hpp"
#include "core/occupancy.hpp"
#include "core/rate.hpp"

#include "failure_of.hpp"

using namespace automation::core;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Rate, is_so_many_in_such_a_time)
{
	EXPECT_EQ(parse_rate("r", "10/s"), (Rate{10, seconds(1)}));
	EXPECT_EQ(parse_rate("r", "100/min"), (Rate{100, minutes(1)}));
	EXPECT_EQ(parse_rate("r", "1/d"), (Rate{1, hours(24)}));
	for (const char *bad : {"", "10", "/s", "10/", "0/s", "-1/s", "10/year", "10/s/s", "x/s"})
		EXPECT_STREQ(failure_of([&] { parse_rate("r", bad); }).sqlstate, "22023") << bad;
}

TEST(Bucket, lets_through_what_the_rate_allows)
{
	Bucket bucket({10, seconds(1)}, milliseconds(0));
	EXPECT_EQ(bucket.content(milliseconds(0)), 0) << "nothing at the start: a restart is no gift";
	EXPECT_EQ(bucket.wait(), milliseconds(100));
	EXPECT_EQ(bucket.content(milliseconds(99)), 0);
	EXPECT_EQ(bucket.content(milliseconds(100)), 1);
	bucket.take(1);
	EXPECT_EQ(bucket.wait(), milliseconds(100));
	EXPECT_EQ(bucket.content(hours(99)), 10) << "a second's worth at most";
}

TEST(Bucket, a_slow_one_holds_one)
{
	Bucket bucket({3, hours(24)}, milliseconds(0));
	EXPECT_EQ(bucket.content(hours(7)), 0);
	EXPECT_EQ(bucket.wait(), hours(1));
	EXPECT_EQ(bucket.content(hours(8)), 1);
	EXPECT_EQ(bucket.content(hours(800)), 1);
}

TEST(Bucket, never_lets_more_through_in_the_long_run)
{
	Bucket bucket({7, seconds(1)}, milliseconds(0));
	int through = 0;
	for (milliseconds now{0}; now < seconds(1000); now += milliseconds(13)) {
		const int content = bucket.content(now);
		bucket.take(content);
		through += content;
	}
	EXPECT_LE(through, 7'000);
	EXPECT_GE(through, 6'990);
}

TEST(Occupancy, leaves_places_for_the_next_channel)
{
	Occupancy occupancy;
	const auto fill = [&](Occupancy::Channel channel, Priority priority) {
		int entered = 0;
		while (occupancy.room(channel, priority, 64) > 0) {
			occupancy.enter(channel, "host", priority);
			++entered;
		}
		return entered;
	};
	EXPECT_EQ(fill(1, Priority::transactional), 30) << "half, alone";
	EXPECT_EQ(fill(2, Priority::transactional), 15);
	EXPECT_EQ(fill(3, Priority::transactional), 8);
	occupancy.leave(1, "host", Priority::transactional);
	EXPECT_EQ(occupancy.of(1), 29);
	EXPECT_EQ(occupancy.of("host"), 52);
}

TEST(Occupancy, leaves_places_for_what_is_more_urgent)
{
	Occupancy occupancy;
	const auto fill_all = [&](Priority priority) {
		for (Occupancy::Channel channel = 1; channel < 100; ++channel)
			while (occupancy.room(channel, priority, 64) > 0)
				occupancy.enter(channel, "host", priority);
		return occupancy.of("host");
	};
	EXPECT_EQ(fill_all(Priority::marketing), 32) << "however many channels hang";
	EXPECT_EQ(occupancy.room(1, Priority::transactional, 64), 28) << "on the same channel too";
	EXPECT_EQ(occupancy.room(1, "host", Priority::transactional, 64), 28);
	EXPECT_EQ(fill_all(Priority::transactional), 60);
	occupancy.leave(1, "host", Priority::marketing);
	EXPECT_EQ(occupancy.room(1, Priority::marketing, 64), 0) << "it comes last";
	EXPECT_EQ(occupancy.room(1, Priority::emergency, 64), 5);
}

TEST(Occupancy, leaves_places_for_an_emergency)
{
	Occupancy occupancy;
	for (Occupancy::Channel channel = 1; channel < 100; ++channel)
		while (occupancy.room(channel, Priority::transactional, 64) > 0)
			occupancy.enter(channel, "host", Priority::transactional);
	EXPECT_EQ(occupancy.of("host"), 60);
	EXPECT_EQ(occupancy.room(1, Priority::emergency, 64), 4);
}

TEST(Breaker, opens_after_failures_in_a_row)
{
	const Breaker::Policy policy{.failures = 3};
	Breaker breaker;
	EXPECT_FALSE(breaker.failed(policy, milliseconds(0)));
	EXPECT_FALSE(breaker.failed(policy, milliseconds(0)));
	EXPECT_FALSE(breaker.succeeded()) << "it was closed";
	EXPECT_FALSE(breaker.failed(policy, milliseconds(0)));
	EXPECT_FALSE(breaker.failed(policy, milliseconds(0)));
	EXPECT_TRUE(breaker.failed(policy, milliseconds(0)));
	EXPECT_EQ(breaker.state(seconds(29)), Breaker::State::open);
	EXPECT_FALSE(breaker.failed(policy, seconds(29))) << "that was under way";
	EXPECT_EQ(breaker.until(), seconds(30));
	EXPECT_EQ(breaker.state(seconds(30)), Breaker::State::half_open);
}

TEST(Breaker, one_attempt_decides)
{
	const Breaker::Policy policy{.failures = 1};
	Breaker breaker;
	EXPECT_TRUE(breaker.failed(policy, milliseconds(0)));
	EXPECT_TRUE(breaker.failed(policy, seconds(30)));
	EXPECT_EQ(breaker.until(), seconds(90)) << "twice as long";
	EXPECT_TRUE(breaker.succeeded());
	EXPECT_EQ(breaker.state(seconds(31)), Breaker::State::closed);
	for (int i = 0; i < 100; ++i)
		breaker.failed(policy, breaker.until());
	EXPECT_EQ(breaker.openings(), 100);
	const auto before = breaker.until();
	breaker.failed(policy, before);
	EXPECT_EQ(breaker.until() - before, minutes(10)) << "but no longer than that";
}

TEST(Breaker, may_be_off)
{
	Breaker breaker;
	for (int i = 0; i < 100; ++i)
		EXPECT_FALSE(breaker.failed({.failures = 0}, milliseconds(0)));
}
