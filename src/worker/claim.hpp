// Deliveries whose turn has come: those that may be attempted, each with its attempt, and those
// that have come to their end instead. Everything here runs inside a transaction of the worker's.
#pragma once

#include "worker/candidate.hpp"
#include "worker/settlement.hpp"
#include "worker/taking.hpp"

#include <cstdint>
#include <vector>

namespace automation::worker {

// So many have a place; what goes beyond them may wait for one, claimed.
std::vector<Claim> admit(Taken taken, int places, const Lane &lane, std::int64_t epoch,
	const Circumstances &circumstances, Directory &directory);

// What becomes of attempts that an earlier worker left in flight.
std::vector<Settlement> settle_lost(std::int64_t settled_below, Directory &directory);

} // namespace automation::worker
