// Why a rule cannot run, found out as it would find out itself.
#pragma once

#include <optional>
#include <string>

namespace automation::engine {

// The error that PostgreSQL raises for some part of the rule's present version; none: it can run.
std::optional<std::string> obstacle_to(int rule);

} // namespace automation::engine
