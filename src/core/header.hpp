// Checks of HTTP header fields before they become bytes on a wire.
#pragma once

#include <string_view>

namespace automation::core {

// All throw Failure 22023.  A name is a token of RFC 9110, 1 to 64 characters, and none of those
// that frame the message or that we sign.
void check_header_name(std::string_view name);

// At definition for the template's own text, and again for the value as rendered.
void check_header_value(std::string_view name, std::string_view value);

} // namespace automation::core
