// What our own code throws: a sentence, an SQLSTATE, and what the user can do about it.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace automation::core {

// The rest of a report; detail and hint are full sentences.
struct Advice {
	std::string detail = {};
	std::string hint = {};
	int position = 0; // of the offending character in the user's text, from 1; 0 when there is none
};

// throw Failure("22023", "port 25 is not allowed for webhooks", {.hint = "Use port 443."});
struct Failure : std::runtime_error {
	Failure(const char (&state)[6], const std::string &message, Advice what_else = {})
		: std::runtime_error(message), sqlstate(state), advice(std::move(what_else))
	{
	}

	const char *sqlstate; // a literal of five characters
	Advice advice;
};

} // namespace automation::core
