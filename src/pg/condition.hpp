// What a user may write as a condition, held against PostgreSQL's own parser.
#pragma once

#include "pg/spi.hpp"

#include <string>
#include <vector>

namespace automation::pg {

// Words of an SQL text, as PostgreSQL's scanner cuts them: strings and comments are one token or
// none.
struct Token {
	std::string text;
	int begin; // offset in bytes
	int end;
};
std::vector<Token> tokens_of(const std::string &sql);

// Refuses what is not one expression: two statements, a FROM, a sub-query, more than 8 kB.
void check_syntax(const std::string &expression);

enum class Verdict { boolean, any }; // the type that the expression may have

struct ConditionSite {
	Oid relation; // the row type of old and new
	Oid owner;	  // in whose name it will be evaluated
	bool has_old; // an event exists that has the image
	bool has_new;
	Verdict verdict;
};
// Types, volatility, privileges; `expression` with related rows already resolved. Returns the
// functions in it that are neither PostgreSQL's nor this extension's: they need the table owner's
// approval.
std::vector<Oid> check_meaning(const std::string &expression, const ConditionSite &site);
std::string function_signature(Oid function);

} // namespace automation::pg
