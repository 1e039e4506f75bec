// Deliveries that wait in automation.retry until they are due again.
#pragma once

#include "worker/lane.hpp"

#include <chrono>
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

// Until the next of them is due.
std::optional<std::chrono::microseconds> next_due(Lane &lane);

} // namespace automation::worker
