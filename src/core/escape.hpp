// Text made safe for the place that it goes to.
#pragma once

#include <string>
#include <string_view>

namespace automation::core {

std::string html_escape(std::string_view text);
// Control characters, line ends first of all, become spaces: a header stays one line.
std::string one_line(std::string_view text);
// RFC 3986: all but the unreserved characters as %XX.
std::string url_encode(std::string_view text);

} // namespace automation::core
