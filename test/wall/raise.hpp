// Every kind of error there is, raised on either side of the wall.
#pragma once

#include <string_view>

namespace automation::wall {

// PostgreSQL's, under a guard:
//   postgres          with every field that a report has
//   careless          while a destructor fails and that of another object succeeds
//   beyond_memory     too large to be copied
// C++'s own:
//   failure, long_failure, runtime_error, bad_alloc, int
//   failure_in_guard  crosses a guard
// none: returns.
void raise(std::string_view kind);

// The same below that many guards, each with an object above it.
void raise_below_guards(std::string_view kind, int depth);

} // namespace automation::wall
