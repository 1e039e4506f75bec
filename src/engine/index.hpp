// Which rules can match a row: one probe per shape of key, not one evaluation per rule.
#pragma once

#include "core/hash_lists.hpp"
#include "pg/index_key.hpp"
#include "pg/row.hpp"

#include <vector>

namespace automation::engine {

// The columns that a rule compares, and the hash of each list of values that it takes them for; a
// rule without columns may match any row.
struct Key {
	struct Column {
		int number;
		pg::Oid function;
		pg::Oid collation;
		bool operator==(const Column &) const = default;
	};
	std::vector<Column> columns = {};
	std::vector<std::int64_t> hashes = {};
};

// A row of automation.rule_index for a compiled condition, as texts: the columns that must have
// changed, and the four arrays of its key. What it says of constants is evaluated as the owner.
std::vector<std::optional<std::string>> stored_key(pg::Oid owner, pg::Oid condition);

// Brings automation.rule_index up to date, after definitions have changed. For who may wait.
void keep_index();

class Index {
public:
	// Where to look for the rules that a row may concern.
	struct Probe {
		std::size_t shape;
		std::int64_t hash;
	};

	// A shape of which rules are to come; false: no row can be asked which of them it concerns.
	bool expect(const std::vector<Key::Column> &columns) { return shape_for(columns).is_usable; }
	void add(int number, const Key &key);
	std::vector<Probe> probes(const pg::RowChange &change) const;
	// The numbers of the rules whose key the row carries, and of those that have none.
	std::vector<int> found(const std::vector<Probe> &probes) const;

private:
	// Rules that compare the same columns, by the values that they compare them with.
	struct Shape {
		std::vector<Key::Column> columns;
		bool is_usable; // the hash functions are there
		core::HashLists rules = {};
	};
	Shape &shape_for(const std::vector<Key::Column> &columns);
	std::vector<int> without_key_;
	std::vector<Shape> shapes_;
};

} // namespace automation::engine
