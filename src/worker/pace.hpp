// How many messages a channel gets rid of: so many are claimed beyond those that are under way,
// that the network does not stand still while a transaction records and claims.
#pragma once

#include "pg/spi.hpp"

#include <chrono>
#include <unordered_map>

namespace automation::worker {

// An attempt that is committed counts as begun, so it must not wait: as many are claimed ahead as
// the channel has delivered in the last moment, and none from a channel that is slow or fails.
class Pace {
public:
	int ahead(pg::Oid server) const; // how many may wait for a place
	void delivered(pg::Oid server);

private:
	using Clock = std::chrono::steady_clock;
	struct Count {
		Clock::time_point since = {}; // of the moment that is counted
		int now = 0;
		int before = 0; // in the moment before
	};
	std::unordered_map<pg::Oid, Count> counts_;
};

} // namespace automation::worker
