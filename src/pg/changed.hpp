// Do two values differ: by their bytes first, then by the type's own equality; json has none.
#pragma once

#include <cstdint>

struct FunctionCallInfoBaseData;

namespace automation::pg {

// Inside a guard: may ereport.
bool same_value(
	unsigned int type, unsigned int collation, std::uintptr_t before, std::uintptr_t after);
// The SQL function automation.changed(anyelement, anyelement).
std::uintptr_t changed(FunctionCallInfoBaseData *call);

} // namespace automation::pg
