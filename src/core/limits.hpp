// What a channel's options say of how much may go through it, and when it is left alone.
#pragma once

#include "core/breaker.hpp"
#include "core/message.hpp"
#include "core/rate.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace automation::core {

struct Limits {
	std::optional<Rate> rate = {};
	std::optional<int> max_in_flight = {};
	Breaker::Policy breaker = {};
};

std::span<const std::string_view> limit_options();

Limits parse_limits(const Entries &options); // throws Failure 22023

} // namespace automation::core
