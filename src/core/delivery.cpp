#include "core/delivery.hpp"

#include <fmt/format.h>

#include <array>

namespace automation::core {

namespace {

struct Named {
	State state;
	std::string_view name;
};
constexpr std::array names = {
	Named{State::ready, "ready"},
	Named{State::held, "held"},
	Named{State::in_flight, "delivering"},
	Named{State::retry, "retrying"},
	Named{State::delivered, "delivered"},
	Named{State::unknown, "unknown"},
	Named{State::dead, "dead"},
	Named{State::cancelled, "cancelled"},
	Named{State::suppressed, "suppressed"},
	Named{State::expired, "expired"},
	Named{State::simulated, "simulated"},
};

Admission hold_to(const Cap &cap, std::optional<std::chrono::milliseconds> expires_in)
{
	if (!cap.wait)
		return {.state = State::suppressed, .reason = cap.reason};
	if (expires_in && *cap.wait > *expires_in)
		return {.state = State::expired, .reason = "expires before it may be sent: " + cap.reason};
	return {.state = State::ready, .reason = cap.reason, .wait = cap.wait};
}

} // namespace

std::string_view name_of(State state)
{
	for (const auto &[known, name] : names)
		if (known == state)
			return name;
	return {};
}

std::optional<State> state_named(std::string_view name)
{
	for (const auto &[state, known] : names)
		if (known == name)
			return state;
	return std::nullopt;
}

State state_of(const Record &record)
{
	if (record.attempted && !record.outcome)
		return State::in_flight;
	const bool over = record.attempted && (!record.planned || record.outcome == "delivered");
	if (over)
		return state_named(*record.outcome).value_or(State::dead);
	if (record.channel_held)
		return State::held;
	return record.planned && record.attempted ? State::retry : State::ready;
}

bool may_send_again(State state)
{
	switch (state) {
	case State::retry:
	case State::unknown:
	case State::dead:
	case State::expired:
	case State::simulated:
		return true;
	default:
		return false;
	}
}

Admission admit(const Candidate &candidate)
{
	if (candidate.behind)
		return {.state = State::ready,
			.reason = fmt::format("waits for delivery {} of the same row", *candidate.behind)};
	if (candidate.ended_by)
		return {.state = State::cancelled, .reason = *candidate.ended_by};
	if (candidate.suppressed_by)
		return {.state = State::suppressed, .reason = *candidate.suppressed_by};
	if (candidate.expires_in && candidate.expires_in->count() < 0)
		return {.state = State::expired, .reason = "too late to be sent"};
	if (candidate.simulated_by)
		return {.state = State::simulated, .reason = *candidate.simulated_by};
	return candidate.cap ? hold_to(*candidate.cap, candidate.expires_in) : Admission();
}

Decision lost(
	int attempt, const RetryPolicy &policy, std::optional<std::chrono::milliseconds> expires_in)
{
	RetryPolicy at_once = policy;
	at_once.schedule = {std::chrono::milliseconds(0)};
	return decide(
		{.outcome = Outcome::unknown, .reason = "the worker ended while the message was in flight"},
		attempt, at_once, 0, expires_in);
}

} // namespace automation::core
