// Reads a compiled function back: which columns it names, and which conjuncts it is made of.
#pragma once

#include "pg/spi.hpp"

#include <string>
#include <vector>

struct FunctionCallInfoBaseData;

namespace automation::pg {

// Of a function that returns jsonb_build_object('role', new.column, ...): the role of each column,
// as it is called today.
struct NamedColumn {
	std::string name;
	std::string column;
};
std::vector<NamedColumn> named_columns(Oid function);

// The SQL function automation._conjuncts(): of each conjunct of a compiled condition its SQL over
// $1 (old) and $2 (new), the columns that it names as they are called today ("new.status", ...),
// and whether it is changed(old.c, new.c), which only an event can tell.
Datum conjuncts(FunctionCallInfoBaseData *call);

} // namespace automation::pg
