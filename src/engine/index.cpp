#include "engine/index.hpp"

#include <algorithm>

namespace automation::engine {

namespace {

std::uint64_t combine(std::uint64_t key, std::uint32_t hash)
{
	return (key ^ hash) * 0x9e3779b97f4a7c15u + (key >> 32);
}

} // namespace

Index::Shape &Index::shape_for(const std::vector<Column> &columns)
{
	for (Shape &shape : shapes_)
		if (shape.columns == columns)
			return shape;
	return shapes_.emplace_back(Shape{columns, {}});
}

void Index::add(int number, const std::vector<pg::Equality> &equalities)
{
	if (equalities.empty()) {
		without_key_.push_back(number);
		return;
	}
	std::vector<pg::Equality> sorted = equalities;
	std::ranges::sort(sorted, {}, &pg::Equality::column);
	std::vector<Column> columns;
	std::uint64_t key = 0;
	for (const pg::Equality &equality : sorted) {
		columns.push_back({equality.column, equality.function, equality.collation});
		key = combine(key, equality.hash);
	}
	shape_for(columns).rules[key].push_back(number);
}

std::vector<int> Index::candidates(const pg::RowChange &change) const
{
	std::vector<int> found = without_key_;
	for (const Shape &shape : shapes_) {
		std::uint64_t key = 0;
		bool complete = true;
		for (const Column &column : shape.columns) {
			const auto hash = change.hash(column.number, column.function, column.collation);
			complete = hash.has_value();
			if (!complete)
				break;
			key = combine(key, *hash);
		}
		const auto rules = complete ? shape.rules.find(key) : shape.rules.end();
		if (rules != shape.rules.end())
			found.insert(found.end(), rules->second.begin(), rules->second.end());
	}
	std::ranges::sort(found);
	return found;
}

} // namespace automation::engine
