// What became of an attempt, judged by what was answered and by whether the request left, never by
// the transport's error code alone.
#pragma once

#include "core/message.hpp"

namespace automation::core {

// However long a server asks us to wait.
inline constexpr std::chrono::seconds longest_retry_after = std::chrono::hours(24);

Verdict judge(const Reply &reply, std::string_view provider);

} // namespace automation::core
