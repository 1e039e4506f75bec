// Statements that may fire triggers: those that the executor executes, and COPY.
#pragma once

namespace automation::pg {

struct Statements {
	// When its triggers are about to be fired; alone: for one row at most. May not fail; what it
	// returns is given back.
	int (*begin)(bool alone);
	void (*end)(int begun);
};

// An error ends a statement without a word. Once per backend, from _PG_init.
void follow_statements(Statements followed);

} // namespace automation::pg
