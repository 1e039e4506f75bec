// The name somebody probably meant.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace automation::core {

// The candidate closest to a misspelt name, when one is close enough to be worth a hint: at most
// three letters (and no more than half of the name) differ.  Case does not count, the first of
// equals wins.
std::optional<std::string> closest(
	std::string_view misspelt, std::span<const std::string_view> candidates);

} // namespace automation::core
