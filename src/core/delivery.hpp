// The life of a delivery. Whatever decides about one, in the worker or in SQL, decides here.
//
//   ready ──> in_flight ──> delivered
//     ▲ held      │ ├─────> retry ──> in_flight, when it is due
//     │           │ ├─────> unknown: sent perhaps, and not to be sent again
//     │           │ └─────> dead
//     │           └ expired, cancelled, suppressed, simulated: no attempt is begun
//     └ retry of somebody's: dead, unknown, expired and simulated ones are sent again
#pragma once

#include "core/retry.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace automation::core {

enum class State {
	ready,	   // nothing has been tried
	held,	   // the same, and nothing will be until somebody says so
	in_flight, // an attempt is committed and has no outcome
	retry,	   // another attempt is planned
	delivered, // and the rest are ends
	unknown,
	dead,
	cancelled,
	suppressed,
	expired,
	simulated,
};

std::string_view name_of(State state); // as users read it
std::optional<State> state_named(std::string_view name);

// What the outbox knows of a delivery.
struct Record {
	bool attempted = false;						  // an attempt is committed
	std::optional<std::string_view> outcome = {}; // of the last one; none: in flight
	bool planned = false;						  // another one is, or it waits for its turn
	bool channel_held = false;
};
State state_of(const Record &record);

// Whether somebody may have it sent again, now.
bool may_send_again(State state);

// A limit of so many messages to one address, which is reached.
struct Cap {
	std::string reason = {};
	std::optional<std::chrono::milliseconds> wait = {}; // none: what is over it is left out
};

// What is known of a delivery whose turn has come.
struct Candidate {
	std::optional<std::int64_t> behind = {};	   // one of its row, in order, goes first
	std::optional<std::string> ended_by = {};	   // a change of its row since
	std::optional<std::string> suppressed_by = {}; // a word of its recipient
	std::optional<std::chrono::milliseconds> expires_in = {}; // negative: it is too late
	std::optional<std::string> simulated_by = {};			  // whatever keeps it from being meant
	std::optional<Cap> cap = {};
};

inline constexpr const char *test_mode = "test mode";

// Whether an attempt begins: in_flight; ready: later, and why; or the end and why.
struct Admission {
	State state = State::in_flight;
	std::string reason = {};
	std::optional<std::chrono::milliseconds> wait = {}; // of what is ready; none: until it is woken
};
Admission admit(const Candidate &candidate);

// What an attempt comes to whose worker ended before it had an outcome. Nothing speaks for waiting.
Decision lost(int attempt, const RetryPolicy &policy,
	std::optional<std::chrono::milliseconds> expires_in = {});

} // namespace automation::core
