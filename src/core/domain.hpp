// Names of hosts.
#pragma once

#include <string_view>

namespace automation::core {

// Labels of letters, digits and inner hyphens, at most 63 bytes each, 253 in all: where mail goes.
bool is_domain_name(std::string_view name);

// The same with underscores, which names of hosts have though they should not.
bool is_host_name(std::string_view name);

// Whether every part of "a.b.c" is accepted.
bool all_parts(std::string_view dotted, bool (*accepts)(std::string_view));

} // namespace automation::core
