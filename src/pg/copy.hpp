// A compiled function under another name.
#pragma once

#include <cstdint>

struct FunctionCallInfoBaseData;

namespace automation::pg {

// The SQL function automation._copy_compiled(function, name). The body is copied as it was
// analysed: no name in it is looked up again, and a renamed column is found under the name that it
// has now.
std::uintptr_t copy_compiled(FunctionCallInfoBaseData *call);

} // namespace automation::pg
