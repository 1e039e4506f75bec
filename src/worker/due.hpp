// Deliveries that wait in automation.retry until they are due again.
#pragma once

#include "pg/clock.hpp"
#include "worker/lane.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace automation::worker {

// The columns of automation.retry.
namespace retry {
enum : int { delivery = 1, server, priority, due_at };
}

// Takes those that are due, at most so many. Never waits for somebody who is about to change one.
std::vector<std::int64_t> take_due(Lane &lane, int room);

// When the first of them is due.
std::optional<pg::Instant> next_due(Lane &lane);

// Somebody may have entered one whose time is long past: the next search begins before all of them.
void search_all(Lane &lane);

} // namespace automation::worker
