// Finds the deliveries of one channel and priority: those that are due again, and those that are
// new.
#pragma once

#include "core/priority.hpp"
#include "pg/earliest.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace automation::worker {

// The new deliveries of one channel and priority, in the order in which their transactions began.
//
// No id and no time tells which rows a reader has not seen yet, since transactions commit in any
// order; snapshots do. All that became visible between two of them, `seen` and `until`, is one
// batch: rows of transactions that were running at the first, or began after it. A batch is read in
// windows, from the position (txid, id) on, and the next one begins where it ends.
struct Lane {
	struct Position {
		std::string seen = "1:1:";			   // nothing
		std::optional<std::string> until = {}; // none: between two batches
		std::uint64_t transaction = 0;
		std::int64_t id = 0;
		std::optional<std::string> limited_by = {}; // why the rest waits
		bool operator==(const Position &) const = default;
	};
	pg::Oid server;
	core::Priority priority;
	Position position = {};
	Position next = {};					// when the transaction commits
	std::optional<Position> saved = {}; // in automation.lane
	// How many batches may hold what has been claimed already: after a start the one in which the
	// position was last saved, and the first one that begins then.
	int again = 1;
	int next_again = 1;
	bool backlog = true;   // there may be more than was asked for
	pg::Earliest due = {}; // of those that wait for their time
};

// Every server that deliveries have gone to, with each priority that they had; nothing else of
// them.
std::vector<Lane> lanes_of_deliveries();

} // namespace automation::worker
