// When something is due, by calendars: SQL entry points.
#pragma once

#include <cstdint>

struct FunctionCallInfoBaseData;

namespace automation::pg {

std::uintptr_t schedule(FunctionCallInfoBaseData *call);

} // namespace automation::pg
