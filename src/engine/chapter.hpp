// The rules on one watched table, as this backend has read them: those that have been candidates,
// and what is needed to find these.
#pragma once

#include "engine/listing.hpp"
#include "engine/rule.hpp"
#include "pg/finder.hpp"
#include "pg/memory.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace automation::engine {

// A column whose change may end what waits for a row.
struct Watched {
	int column;
	std::string name;
};

class Chapter {
public:
	explicit Chapter(int entity);
	Chapter(const Chapter &) = delete;
	Chapter &operator=(const Chapter &) = delete;

	bool is_empty() const { return listing_.is_empty() && !something_waits; }
	// The numbers of the active rules that the change may concern, in listed order.
	std::vector<int> candidates(const pg::RowChange &change);
	// The same of those that are judged when the transaction ends, by all its changes together.
	std::vector<int> candidates_at_commit(const pg::RowChange &net_change);
	bool judges_at_commit() const { return listing_.judges_at_commit(); }
	Rule *listed(int number); // null: it is gone by now
	int listed_id(int number);
	Rule *present(int id); // the version that hears of changes now; null: none
	Rule *find(int id, int version);
	const pg::Expression &compile(const Rule &rule, Part &part) const;
	std::string key_of(const pg::RowChange &change) const; // of the changed row itself
	pg::RowFinder &rows();
	pg::Oid owner() const { return owner_; } // of the table
	bool has_changed_shape(pg::RowType::Lock lock) const { return type && !type->is_current(lock); }

	pg::Memory memory{"pg_automation rules", pg::Memory::Life::backend};
	int entity;
	std::optional<pg::RowType> type; // none: the entity is gone
	bool something_waits = false;	 // for rows of this table
	std::vector<Watched> watched;

private:
	void read_watched();

	pg::Oid owner_ = 0; // of the table
	std::unique_ptr<pg::Expression> key_;
	Listing listing_;
	std::optional<pg::RowFinder> rows_;
	std::map<std::pair<int, int>, std::unique_ptr<Rule>> rules_; // by id and version
};

// A rule in somebody's hand stays compiled; when he is done it is dropped again, if this backend
// has too much compiled already.
class InHand {
public:
	explicit InHand(Rule &rule);
	~InHand();
	InHand(const InHand &) = delete;
	InHand &operator=(const InHand &) = delete;

private:
	Rule &rule_;
};

} // namespace automation::engine
