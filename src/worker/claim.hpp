// Deliveries whose turn has come: those that may be attempted, each with its attempt, and those
// that have come to their end instead. Everything here runs inside a transaction of the worker's.
#pragma once

#include "worker/directory.hpp"
#include "worker/lane.hpp"
#include "worker/settlement.hpp"

#include "core/message.hpp"
#include "core/retry.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace automation::worker {

// A delivery of which this attempt is committed once the transaction is.
struct Claim {
	std::int64_t attempt;
	std::int64_t delivery;
	int number;	  // of the attempt, from 1
	bool ordered; // it goes after those of its row that were made before
	pg::Oid server;
	core::Priority priority;
	pg::Oid sender; // role
	core::Kind kind;
	core::RetryPolicy policy;
	std::optional<std::chrono::milliseconds> expires_in;
	bool readable;		   // all of it is text
	bool encloses;		   // attachments or an invitation
	core::Message message; // its id unique among those of this database
	std::int64_t now;	   // seconds since 1970
};

std::vector<Claim> admit(const std::vector<std::int64_t> &deliveries, const Lane &lane,
	std::int64_t epoch, Directory &directory);

// What becomes of attempts that an earlier worker left in flight.
std::vector<Settlement> settle_lost(std::int64_t settled_below, Directory &directory);

} // namespace automation::worker
