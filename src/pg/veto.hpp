// A write is refused: what whoever makes it is told.
#pragma once

#include <string>

#include "pg/error.hpp"

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

// The guard that an error comes from; empty: none.
std::string guard_of(const Error &error);
// An error on one line, with the guard if it comes from one.
std::string reason_of(const Error &error);

// Whether the role that the session has taken on, whoever's function it is in, is a member of that.
bool session_is_member_of(const std::string &role);

} // namespace automation::pg
