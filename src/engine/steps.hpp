// Takes the steps of a rule that applies, in their order.
#pragma once

#include "engine/ledger.hpp"
#include "engine/rulebook.hpp"

#include <vector>

namespace automation::engine {

// Why a step was not taken that waits for its predecessor; nor is one that waits for it.
inline constexpr const char *after_failure = "the step before it failed";

// A step that fails is rolled back to its savepoint and recorded; the next one is taken all the
// same, unless it waits for its predecessor.
enum class Care {
	none,	  // an error of a step is the caller's
	each_step // it is undone, and recorded
};
std::vector<StepRecord> take_steps(const Chapter &chapter, Rule &rule, const pg::RowChange &change,
	const RunRecord &run, Care care);

// A step whose time has come.
StepRecord take_step(const Chapter &chapter, Rule &rule, Step &step, const pg::RowChange &change,
	const RunRecord &run);

} // namespace automation::engine
