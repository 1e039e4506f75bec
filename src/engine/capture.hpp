// Where a write comes in: the trigger on every watched table.
#pragma once

#include "engine/chapter.hpp"

#include <cstdint>
#include <string_view>

namespace automation::engine {

void on_row(const pg::TriggerCall &call);
// Each candidate is judged on the row as the event left it, in listed order.
void meet_all(Chapter &chapter, const pg::RowChange &change, const std::vector<int> &candidates);
void on_truncate(int entity);
// A rule fired by hand, as if the row had just been created in its present state; the row is given
// as JSON. Returns the run's number, 0 when the rule's condition does not hold.
std::int64_t fire(int rule, std::string_view row);

} // namespace automation::engine
