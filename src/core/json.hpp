// JSON text, written piece by piece.
#pragma once

#include <string>
#include <string_view>

namespace automation::core {

// The text as a JSON string, quotes included.
std::string json_string(std::string_view text);

// A member of an object: the text of a string as it is written, or the words of a number, true or
// null; empty when it is missing, no scalar, or when this is no object. Nothing needs to be valid.
std::string json_member(std::string_view object, std::string_view name);

} // namespace automation::core
