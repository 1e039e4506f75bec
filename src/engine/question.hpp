// Questions about rows, asked with somebody's rights and in a restricted context.
#pragma once

#include "pg/spi.hpp"

#include <optional>
#include <string>

namespace automation::engine {

// What one conjunct of a rule's condition says.
struct Question {
	pg::Oid owner; // of the rule
	std::string search_path;
	std::string query; // over $1 (old) and $2 (new)
	pg::Oid relation;
	std::optional<std::string> old_row; // as JSON
	std::optional<std::string> new_row;
};

// With the rights of the rule's owner, as when the rule is judged; none for NULL.
std::optional<bool> holds(const Question &question);

// The one jsonb value, as text, that a query about $1 (jsonb, given as text) answers.
std::optional<std::string> ask(pg::Oid role, const std::string &query, const std::string &argument);

// The query with SQL in the places of $1 (old) and $2 (new).
std::string with_images(
	const std::string &query, const std::string &old_row, const std::string &new_row);

} // namespace automation::engine
