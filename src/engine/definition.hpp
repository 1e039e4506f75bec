// What a rule says, compiled to SQL when it is defined: templates and conditions.
#pragma once

#include "pg/scope.hpp"

#include <string>
#include <vector>

namespace automation::engine {

// destination: text, html, line, address, url or json. The SQL is of type text, jsonb for json.
std::string template_sql(
	const pg::Scope &scope, const std::string &text, const std::string &destination);

// Linked rows' columns (customer.tier) become scalar sub-queries; all else stays as it was written.
std::string rewrite_links(const pg::Scope &scope, const std::string &expression);

// Refuses what may not be a rule's condition; events: those of insert, update and delete it will
// meet.
void check_condition(
	const pg::Scope &scope, const std::string &expression, const std::vector<std::string> &events);

// The same for an expression of any type, the value of a column.
void check_expression(
	const pg::Scope &scope, const std::string &expression, const std::vector<std::string> &events);

} // namespace automation::engine
