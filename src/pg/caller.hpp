// What a user gives us to execute: with the rights, the search path and the settings he has.
#pragma once

#include <cstdint>
#include <string>

struct FunctionCallInfoBaseData;

namespace automation::pg {

// Not even he may end the transaction in it. Answers what it came to: UPDATE 3, or done.
std::string execute_for_caller(const std::string &commands);

// automation._is_own(xid): whether this very transaction has written a row with this xmin.
std::uintptr_t is_own(FunctionCallInfoBaseData *call);

} // namespace automation::pg
