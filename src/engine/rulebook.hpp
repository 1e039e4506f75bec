// The rules this backend knows, per watched table, read when first needed and dropped when changed.
#pragma once

#include "engine/index.hpp"
#include "engine/rule.hpp"
#include "pg/memory.hpp"

#include <map>
#include <memory>

namespace automation::engine {

// The active rules on one watched table.
struct Chapter {
	explicit Chapter(int entity);
	Chapter(const Chapter &) = delete;
	Chapter &operator=(const Chapter &) = delete;

	pg::Memory memory{"pg_automation rules", pg::Memory::Life::backend};
	int entity;
	std::optional<pg::RowType> type; // none: the entity is gone
	std::vector<Rule> rules;		 // in listed order
	Index index;

private:
	void read_rules();
	void read_steps();
};

// Holds the current book while it lives, so that a change of the rules by one of their own actions
// does not pull it from under the caller.
class Rulebook {
public:
	Rulebook();
	~Rulebook();
	Rulebook(const Rulebook &) = delete;
	Rulebook &operator=(const Rulebook &) = delete;

	Chapter &chapter(int entity) const;
	// A rule by its number; null when it is not active.
	Rule *rule(int id, Chapter **chapter) const;

private:
	struct Book;
	static Book *current;
	Book *book_;
};

} // namespace automation::engine
