// The rules on one watched table, as this backend has read them.
#pragma once

#include "engine/index.hpp"
#include "engine/rule.hpp"
#include "pg/finder.hpp"
#include "pg/memory.hpp"

#include <optional>
#include <string>
#include <vector>

namespace automation::engine {

// A column whose change may end what waits for a row.
struct Watched {
	int column;
	std::string name;
};

struct Chapter {
	explicit Chapter(int entity);
	Chapter(const Chapter &) = delete;
	Chapter &operator=(const Chapter &) = delete;

	Rule *find(int id, int version);
	const pg::Expression &compile(const Rule &rule, Part &part) const;
	std::string key_of(const pg::RowChange &change) const; // of the changed row itself
	pg::RowFinder &rows();

	pg::Memory memory{"pg_automation rules", pg::Memory::Life::backend};
	int entity;
	std::optional<pg::RowType> type; // none: the entity is gone
	std::vector<Rule> rules;		 // in listed order; those that are not active only finish
	Index index;					 // of the active ones
	Index at_commit;				 // of those that are judged when the transaction ends
	bool judges_at_commit = false;
	bool something_waits = false; // for rows of this table
	std::vector<Watched> watched;

private:
	pg::Oid owner_ = 0; // of the table
	std::optional<pg::Expression> key_;
	std::optional<pg::RowFinder> rows_;
	void read_rules();
	void read_steps();
	void read_waits();
	void read_watched();
};

} // namespace automation::engine
