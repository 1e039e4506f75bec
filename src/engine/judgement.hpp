// Whether a rule applies to a row.
#pragma once

#include "engine/rulebook.hpp"

#include <optional>

namespace automation::engine {

struct Judgement {
	bool applies = false;
	std::optional<pg::Error> error = {};
	const char *failed = "condition: "; // what the error kept from being known
};

// By one of its conditions. A savepoint is opened only where evaluating can fail.
Judgement judge(Chapter &chapter, Rule &rule, Part &condition, const pg::RowChange &change);
// Whether the change fires it.
Judgement judge_event(Chapter &chapter, Rule &rule, const pg::RowChange &change);

} // namespace automation::engine
