// A window of a lane's batch: its next deliveries.
#pragma once

#include "worker/lane.hpp"
#include "worker/stored.hpp"

#include <string>
#include <vector>

namespace automation::worker {

// At most so many of those that became visible between lane.next.seen and until, from the position
// on. The transactions that were running at the beginning come before all that began later, so the
// position holds for both halves. Each half is one range of the index, however far the position is.
std::vector<Stored> window(const Lane &lane, const std::string &until, int room);

} // namespace automation::worker
