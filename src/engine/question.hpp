// Questions about rows, asked with somebody's rights and in a restricted context; and what is done
// so.
#pragma once

#include "pg/spi.hpp"

#include <optional>
#include <string>

namespace automation::engine {

// What one conjunct of a rule's condition says.
struct Question {
	pg::Oid owner; // of the rule
	std::string search_path;
	pg::Oid function;
	int conjunct; // from 1
	pg::Oid relation;
	std::optional<std::string> old_row; // as JSON
	std::optional<std::string> new_row;
};

// With the rights of the rule's owner, as when the rule is judged; none for NULL.
std::optional<bool> holds(const Question &question);

// The one jsonb value, as text, that a query about $1 (jsonb, given as text) answers.
std::optional<std::string> ask(pg::Oid role, const std::string &query, const std::string &argument);

// The same for a command that writes, as a step of a rule of the role would.
std::optional<std::string> act(pg::Oid role, const std::string &search_path,
	const std::string &command, const std::string &argument);

// And as if a run that is over had one more step: its rule does not fire on what that writes.
struct PastRun {
	std::int64_t id;
	int rule;
	std::string key;
};
std::optional<std::string> act_for(const PastRun &run, pg::Oid role, const std::string &search_path,
	const std::string &command, const std::string &argument);

// To how many rows of its table a condition applies as if each had just been inserted.
std::int64_t count_matches(
	pg::Oid owner, const std::string &search_path, pg::Oid function, pg::Oid relation);

} // namespace automation::engine
