// What comes again and again: SQL entry points.
#pragma once

#include <cstdint>

struct FunctionCallInfoBaseData;

namespace automation::pg {

std::uintptr_t check_cron(FunctionCallInfoBaseData *call);
std::uintptr_t cron_next(FunctionCallInfoBaseData *call);
std::uintptr_t recur_next(FunctionCallInfoBaseData *call);

} // namespace automation::pg
