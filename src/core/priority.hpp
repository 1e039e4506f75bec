// Which messages go first when not all can.
#pragma once

#include <cstddef>
#include <string_view>

namespace automation::core {

enum class Priority { emergency, transactional, marketing }; // as stored: 0, 1, 2
inline constexpr std::size_t priorities = 3;

// Of a class of messages, as steps name it.
constexpr Priority priority_of(std::string_view message_class)
{
	return message_class == "emergency" ? Priority::emergency
		: message_class == "marketing"	? Priority::marketing
										: Priority::transactional;
}

} // namespace automation::core
