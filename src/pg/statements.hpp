// Statements that may fire triggers: those that the executor executes, and COPY.
#pragma once

namespace automation::pg {

struct Statements {
	int (*begin)(); // may not fail; what it returns is given back
	void (*end)(int begun);
};

// An error ends a statement without a word. Once per backend, from _PG_init.
void follow_statements(Statements followed);

} // namespace automation::pg
