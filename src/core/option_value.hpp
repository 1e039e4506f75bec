// The values of options, which are all text. Throw Failure 22023.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

namespace automation::core {

bool parse_boolean(std::string_view name, std::string_view value); // true, on, yes, 1, and so on
int parse_integer(std::string_view name, std::string_view value, int least, int most);
std::vector<int> parse_integers(std::string_view name, std::string_view list, int least, int most);

// "500ms", "5s", "10min", "2h"; a plain number is seconds.
std::chrono::milliseconds parse_duration(
	std::string_view name, std::string_view value, std::chrono::hours longest);

} // namespace automation::core
