// What a stranger answered, made fit to be kept.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace automation::core {

enum class Characters { utf8, ascii };

// At most most_bytes of it, valid in UTF-8 (or ASCII), without control characters but tabs and line
// ends. What cannot be kept shows as a replacement character.
std::string storable(std::string_view text, Characters characters, std::size_t most_bytes);

// Without our secrets, which an echo would tell: neither plain nor as HTTP basic authentication
// spells them (username:password).
std::string redact(
	std::string text, std::string_view username, std::span<const std::string> secrets);

} // namespace automation::core
