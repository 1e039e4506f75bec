// What the outbox says of deliveries whose turn has come.
#pragma once

#include "worker/circumstances.hpp"
#include "worker/directory.hpp"
#include "worker/lane.hpp"
#include "worker/settlement.hpp"
#include "worker/stored.hpp"

#include "core/delivery.hpp"
#include "core/message.hpp"
#include "core/retry.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace automation::worker {

// A delivery of which this attempt is committed once the transaction is.
struct Claim {
	std::int64_t attempt;
	std::int64_t delivery;
	Origin origin;
	int number;	  // of the attempt, from 1
	bool ordered; // it goes after those of its row that were made before
	pg::Oid server;
	core::Priority priority;
	pg::Oid sender; // role
	core::RetryPolicy policy;
	std::optional<std::chrono::milliseconds> expires_in;
	bool readable;		   // all of it is text
	bool encloses;		   // attachments or an invitation
	core::Message message; // its id unique in the world
	std::int64_t now;	   // seconds since 1970
};

struct Candidate {
	Claim claim;
	core::Candidate known;
	bool counted; // by the caps of its recipient
	bool watched; // changes of its row end it
	core::Admission admission = {};
};

// In a transaction; admission is still to be decided. waited: those that have come before.
std::vector<Candidate> candidates_of(std::vector<Stored> deliveries,
	const std::set<std::int64_t> &waited, const Lane &lane, const Circumstances &circumstances,
	Directory &directory);

// What a step says of its own delivery.
core::Entries entries_at(const pg::Rows &rows, std::uint64_t row, int column);
std::optional<std::chrono::milliseconds> expires_in(
	const core::RetryPolicy &policy, std::int64_t age_in_ms);

} // namespace automation::worker
