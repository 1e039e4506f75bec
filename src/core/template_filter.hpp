// What may follow a bar in a merge tag.
#pragma once

#include "core/template_value.hpp"

namespace automation::core {

// The value after the filter.  Throws Failure 42883 for an unknown filter or a wrong number of
// arguments, 42804 or 22023 for a value or an argument that the filter cannot take.
Value apply_filter(const Filter &filter, const Value &input, Compilation &compilation);

} // namespace automation::core
