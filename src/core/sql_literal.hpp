// Text as a SQL constant, and as a literal part of a to_char() pattern.
#pragma once

#include <string>
#include <string_view>

namespace automation::core {

// Means the same whatever standard_conforming_strings says, as quote_literal() in SQL.
inline std::string quote_literal(std::string_view text)
{
	std::string quoted = text.find('\\') == text.npos ? "'" : "E'";
	for (const char c : text) {
		if (c == '\'' || c == '\\')
			quoted += c;
		quoted += c;
	}
	return quoted + '\'';
}

inline std::string quote_pattern(std::string_view text)
{
	std::string quoted = "\"";
	for (const char c : text) {
		if (c == '"' || c == '\\')
			quoted += '\\';
		quoted += c;
	}
	return quoted + '"';
}

} // namespace automation::core
