// The worker's side of the outbox: claims deliveries, and remembers how far it has come.
// Everything here runs inside a transaction of the worker's.
#pragma once

#include "worker/lane.hpp"

#include "core/message.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace automation::worker {

// A delivery of which this attempt is committed once the transaction is.
struct Claim {
	std::int64_t attempt;
	std::int64_t delivery;
	int number; // of the attempt, from 1
	pg::Oid server;
	pg::Oid sender; // role
	core::Kind kind;
	bool readable; // all of it is text
	core::Message message;
	std::int64_t now; // seconds since 1970
};

// What an earlier worker left in flight when it ended.
struct Leftovers {
	std::int64_t retried;
	std::int64_t held;
};

class Outbox {
public:
	Leftovers open(); // a new epoch

	std::vector<Lane> &lanes() { return lanes_; }
	void find_lanes(); // of channels that are new
	std::set<pg::Oid> paused() const;
	// False: the database is a copy that nobody has adopted, and nothing is to be sent.
	bool is_at_home();

	// At most room deliveries of the lane: those that are due again, then new ones.
	std::vector<Claim> claim(Lane &lane, int room, const std::string &now_visible);
	// All attempts below have an outcome.
	void save(std::int64_t settled_below);

	// After the transaction.
	void confirm();
	void revert();

	std::string message_id(std::int64_t delivery) const;
	// Until a waiting delivery of a lane that has room is due.
	std::optional<std::chrono::milliseconds> next_due(const std::set<pg::Oid> &servers) const;

private:
	void add_lane(pg::Oid server);
	std::int64_t epoch_ = 0;
	std::string identity_;
	std::vector<Lane> lanes_;
};

} // namespace automation::worker
