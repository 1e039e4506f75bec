// Reads a rule when it is needed: what it says, its steps and what they wait for, in one query.
#pragma once

#include "engine/rule.hpp"

#include <memory>

namespace automation::engine {

// Null: there is no such version any more.
std::unique_ptr<Rule> read_rule(int id, int version);

} // namespace automation::engine
