// Messages whose turn has not come: behind another one of their row, where a rule asks for order,
// or over a limit of their recipient's. Everything here runs inside a transaction of the worker's.
#pragma once

#include "core/delivery.hpp"
#include "worker/array.hpp"
#include "worker/lane.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace automation::worker {

// Of those in whose row another one goes first: which one.
std::map<std::int64_t, std::int64_t> predecessors(Array &ordered);

// Of those that are over a limit of so many to one address: what that limit says. The others count.
std::map<std::int64_t, core::Cap> over_caps(Array &deliveries);

struct Postponed {
	std::int64_t delivery;
	std::string reason;
	std::optional<std::chrono::milliseconds> wait; // none: until the one before it has ended
};
void postpone(const Lane &lane, const std::vector<Postponed> &postponed);

// These of the ordered ones have ended: those behind them may begin.
void advance(Array &ended);
// Somebody else may have ended one, just when the worker made another one wait for it.
void tidy_queue();

} // namespace automation::worker
