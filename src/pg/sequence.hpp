// Numbers for rows that are written before their number could come back.
#pragma once

#include <cstdint>

namespace automation::pg {

// The next value of a sequence of schema automation; needs no privilege on it.
std::int64_t next_value(const char *sequence);

} // namespace automation::pg
