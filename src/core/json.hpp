// JSON text, written piece by piece.
#pragma once

#include <string>
#include <string_view>

namespace automation::core {

// The text as a JSON string, quotes included.
std::string json_string(std::string_view text);

} // namespace automation::core
