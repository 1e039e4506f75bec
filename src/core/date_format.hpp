// Date formats as Liquid (and strftime) writes them, for to_char().
#pragma once

#include <string>
#include <string_view>

namespace automation::core {

// "%d.%m.%Y" -> DD"."MM"."YYYY.  Names of days and months are English.  to_char() cannot pad with a
// space: %e, %k and %l give the bare number, as %-d, %-H and %-I do.
// Throws Failure 22023, at the position given, for a directive it does not know.
std::string to_char_format(std::string_view strftime_format, int position);

} // namespace automation::core
