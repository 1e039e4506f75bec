// A write is refused: what whoever makes it is told.
#pragma once

#include <string>

namespace automation::pg {

struct Veto {
	std::string message;
	std::string detail;
	std::string hint; // empty: none
	std::string schema, table;
	std::string guard; // where a constraint's name would stand
};

// With the SQLSTATE of a violated CHECK, and the same fields.
[[noreturn]] void refuse(const Veto &veto);

// Whether the role that the session has taken on, whoever's function it is in, is a member of that.
bool session_is_member_of(const std::string &role);

} // namespace automation::pg
