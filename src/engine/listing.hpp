// The active rules that hear of changes of one table, and which of them a change may concern.
//
// Of a long list a session reads what its rows ask for: to read all of it takes longer than most
// transactions, and memory in each session. A session that asks for much reads the rest as well.
#pragma once

#include "core/hash_lists.hpp"
#include "engine/index.hpp"
#include "engine/rule.hpp"

#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

namespace automation::engine {

class Listing {
public:
	struct Entry {
		int id;
		int version;
		int place;			  // rules are met by place, equals by id
		int watched;		  // which of watched_lists_ must have changed; of an update
		Rule *rule = nullptr; // not read yet
	};
	enum class Moment { row, commit };

	void read(pg::Oid relation);

	bool is_empty() const { return entries_.empty() && is_complete_; }
	bool judges_at_commit() const { return judges_at_commit_; }
	// The numbers of the rules that the change may concern, in the order in which they are met.
	std::vector<int> candidates(Moment moment, const pg::RowChange &change);
	Entry &entry(int number) { return entries_[static_cast<std::size_t>(number)]; }
	std::optional<int> number_of(int id); // none: it is not active here

private:
	void read_unknown();
	void read_shapes();
	void read_all();
	void ask_for(const std::vector<Index::Probe> &probes);
	void add(const pg::Rows &rows, std::uint64_t row);
	std::optional<int> listed(int id) const;
	int number_of(std::vector<int> watched_list);
	bool is_unwatched(int number, const pg::RowChange &change);
	Index &index_of(bool at_commit) { return at_commit ? index_at_commit_ : index_; }

	pg::Oid relation_ = 0;
	bool is_complete_ = true;
	bool judges_at_commit_ = false;
	std::vector<Entry> entries_;
	std::vector<std::vector<int>> watched_lists_; // each once: most rules watch the same columns
	Index index_, index_at_commit_;
	core::HashLists numbers_;				 // by the rule's id
	std::unordered_set<std::int64_t> asked_; // hashes whose rules are listed
};

} // namespace automation::engine
