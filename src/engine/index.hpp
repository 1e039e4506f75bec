// Which rules can match a row: one probe per shape of key, not one evaluation per rule.
#pragma once

#include "engine/rule.hpp"

#include <unordered_map>
#include <vector>

namespace automation::engine {

class Index {
public:
	// Rules come in listed order; number counts them from 0.
	void add(int number, const std::vector<pg::Equality> &equalities);
	// The numbers of the rules whose key the row carries, in listed order.
	std::vector<int> candidates(const pg::RowChange &change) const;

private:
	struct Column {
		int number;
		pg::Oid function;
		pg::Oid collation;
		bool operator==(const Column &) const = default;
	};
	// Rules that compare the same columns, by the values that they compare them with.
	struct Shape {
		std::vector<Column> columns;
		std::unordered_map<std::uint64_t, std::vector<int>> rules;
	};
	Shape &shape_for(const std::vector<Column> &columns);
	std::vector<int> without_key_;
	std::vector<Shape> shapes_;
};

} // namespace automation::engine
