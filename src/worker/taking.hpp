// Takes deliveries out of a lane: those that are due again, then new ones.
#pragma once

#include "worker/lane.hpp"
#include "worker/stored.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace automation::worker {

struct Taken {
	std::vector<std::int64_t> waited = {}; // in automation.retry
	std::vector<Stored> fresh = {};		   // nothing has been done about them
	bool undisturbed = true;			   // nobody locks one of them in this transaction's time
	std::size_t size() const { return waited.size() + fresh.size(); }
};

// At most room deliveries, each of which is told once; moves lane.next.
Taken take(Lane &lane, int room, const std::string &now_visible);

} // namespace automation::worker
