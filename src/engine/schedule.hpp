// What is not to be done at once: when it is due.
#pragma once

#include "engine/ledger.hpp"
#include "engine/rulebook.hpp"

namespace automation::engine {

// Reckoned from the row as it is and the time it is now; never: the date it counts from is not set.
pg::Instant due_time(
	const Chapter &chapter, const Rule &rule, Wait &wait, const pg::RowChange &row);

// A run that is to begin later than the change that fires its rule, or once more.
void plan_run(Chapter &chapter, Rule &rule, const pg::RowChange &change);

// A rule that waits for a date of the row, for as long as its condition holds: whatever changes the
// date or the condition plans anew, or ends the plan.
void plan_standing(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event);

// A step that waits; the record says for what. None: its time is now.
std::optional<StepRecord> plan_step(const Chapter &chapter, const Rule &rule, Step &step,
	const pg::RowChange &row, const RunRecord &run);
StepRecord plan_after_previous(
	const Rule &rule, const Step &step, const pg::RowChange &row, const RunRecord &run);

// Key of the row whose change fires the rule, when the rule is about another; else empty.
std::string source_key(const Chapter &chapter, const Rule &rule, const pg::RowChange &change);

// Whether what a step waits for has come before its time.
bool is_over(const Chapter &chapter, const Rule &rule, Step &step, const pg::RowChange &row);

// The values of the columns that must not differ, as JSON; empty when there are none.
std::string values_seen(const Wait &wait, const pg::RowChange &row);

} // namespace automation::engine
