// Whether a channel that fails is tried at all.
//
//   closed ──failures in a row──> open ──pause over──> half open: one attempt ──answered──> closed
//                                   ▲                        │
//                                   └─── twice the pause ────┘ failed
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

namespace automation::core {

class Breaker {
public:
	using Instant = std::chrono::milliseconds; // of any clock that only goes forward
	enum class State { closed, open, half_open };

	struct Policy {
		int failures = 10; // in a row; 0: never opens
		std::chrono::milliseconds pause{std::chrono::seconds(30)};
		std::chrono::milliseconds longest_pause{std::chrono::minutes(10)};
	};

	State state(Instant now) const
	{
		if (openings_ == 0)
			return State::closed;
		return now < until_ ? State::open : State::half_open;
	}
	// The channel has answered, whatever it said. True when that changes the state.
	bool succeeded()
	{
		failures_ = 0;
		return std::exchange(openings_, 0) > 0;
	}
	// What was under way when it opened does not open it again.
	bool failed(const Policy &policy, Instant now)
	{
		++failures_;
		const bool opens = policy.failures > 0 &&
			(state(now) == State::half_open ||
				(state(now) == State::closed && failures_ >= policy.failures));
		if (opens)
			open(openings_ + 1, now + pause_of(policy));
		return opens;
	}
	// As an earlier worker left it.
	void open(int openings, Instant until)
	{
		openings_ = openings;
		until_ = until;
	}
	Instant until() const { return until_; }
	int openings() const { return openings_; } // in a row; 0: closed

private:
	std::chrono::milliseconds pause_of(const Policy &policy) const
	{
		const int doublings = std::min(openings_, 20);
		return std::min(policy.pause * (1 << doublings), policy.longest_pause);
	}
	int failures_ = 0;
	int openings_ = 0;
	Instant until_{0};
};

} // namespace automation::core
