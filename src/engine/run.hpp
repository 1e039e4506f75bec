// A rule and a row: does it apply, and what becomes of its steps.
#pragma once

#include "engine/ledger.hpp"
#include "engine/rulebook.hpp"

#include <cstdint>
#include <string>

namespace automation::engine {

// A change meets a rule: its run begins now, or is planned. event: the log's word for it. False:
// the rule does not apply.
bool meet(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event);

// Runs the rule if its condition holds. Leaves exactly one row in the log, unless the condition
// does not hold. Returns the run's number, or 0.
std::int64_t run_if_it_applies(
	Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event);

// Runs the rule for a row whose time has come.
std::int64_t run_when_due(Chapter &chapter, Rule &rule, const pg::RowChange &change);

// A match that leads to nothing, and why.
void write_suppressed(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event,
	const std::string &reason);

// The row that the rule is about.
std::string key_text(const Chapter &chapter, Rule &rule, const pg::RowChange &change);

} // namespace automation::engine
