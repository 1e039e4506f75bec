// A transaction that sets off too much: what becomes of its further matches.
#pragma once

#include "engine/chapter.hpp"

#include <cstdint>

namespace automation::engine {

// Counts a match of the rule as an event of this transaction. False: there are too many by now, and
// what the rule says of that has been done.
bool may_run(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event);

// What has been counted under this subtransaction or a later one has not happened.
void forget_events(std::uint32_t subtransaction) noexcept;

// Lets held matches become runs, as many as the rates of their batches allow; how many it has dealt
// with.
int release();

} // namespace automation::engine
