// RFC 4648, with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace automation::core {

std::string base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text); // none when it is no base64

} // namespace automation::core
