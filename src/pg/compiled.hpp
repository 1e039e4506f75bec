// Reads a compiled function back: which columns it names, and which conjuncts it is made of.
#pragma once

#include "pg/spi.hpp"

#include <string>
#include <vector>

namespace automation::pg {

// Of a function that returns jsonb_build_object('role', new.column, ...): the role of each column,
// as it is called today.
struct NamedColumn {
	std::string name;
	std::string column;
};
std::vector<NamedColumn> named_columns(Oid function);

// One conjunct of a compiled condition.
struct Conjunct {
	std::string expression;			  // SQL over $1 (old) and $2 (new), every name qualified
	std::vector<std::string> columns; // "new.status", ... as they are called today
	bool is_change;					  // changed(old.c, new.c): only an event can tell
};
std::vector<Conjunct> conjuncts_of(Oid function);

// Raises an error unless the current user may read whatever the function names of old and new. They
// are handed to it, so nothing else asks.
void check_readable(Oid function);

} // namespace automation::pg
