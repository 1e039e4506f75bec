// The rules this backend knows, per watched table, read when first needed and dropped when changed.
#pragma once

#include "engine/chapter.hpp"

#include <map>
#include <memory>

namespace automation::engine {

// Holds the current book while it lives, so that a change of the rules by one of their own actions
// does not pull it from under the caller.
class Rulebook {
public:
	Rulebook();
	~Rulebook();
	Rulebook(const Rulebook &) = delete;
	Rulebook &operator=(const Rulebook &) = delete;

	Chapter &chapter(int entity) const;
	// The version of a rule that takes new runs; null when it is not active.
	Rule *rule(int id, Chapter **chapter) const;

private:
	struct Book;
	static Book *current;
	Book *book_;
};

} // namespace automation::engine
