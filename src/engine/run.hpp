// A rule and a row: does it apply, and what becomes of its steps.
#pragma once

#include "engine/rulebook.hpp"

#include <cstdint>

namespace automation::engine {

// Runs the rule if its condition holds. Leaves exactly one row in the log, unless the condition
// does not hold. Returns the run's number, or 0.
std::int64_t run_if_it_applies(Chapter &chapter, Rule &rule, const pg::RowChange &change);

} // namespace automation::engine
