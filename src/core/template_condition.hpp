// The condition of an {% if %} as SQL.
#pragma once

#include "core/template_value.hpp"

namespace automation::core {

// A boolean expression in parentheses; what is unknown counts as not so.
std::string condition_sql(const Condition &condition, Compilation &compilation);

} // namespace automation::core
