#include "engine/index.hpp"

#include "pg/definitions.hpp"
#include "pg/identity.hpp"

#include <algorithm>
#include <functional>
#include <set>

namespace automation::engine {

namespace {

// Of a rule; what would have more compares a column less.
constexpr std::size_t most_hashes = 64;

std::int64_t combine(std::int64_t key, std::uint32_t hash)
{
	const auto bits = static_cast<std::uint64_t>(key);
	return static_cast<std::int64_t>((bits ^ hash) * 0x9e3779b97f4a7c15u + (bits >> 32));
}

Key key_of(std::vector<pg::Equality> equalities)
{
	std::ranges::sort(equalities, {}, &pg::Equality::column);
	Key key;
	std::set<std::int64_t> hashes = {0};
	for (const pg::Equality &equality : equalities) {
		const bool is_new = key.columns.empty() || key.columns.back().number != equality.column;
		if (!is_new || hashes.size() * equality.hashes.size() > most_hashes)
			continue;
		key.columns.push_back({equality.column, equality.function, equality.collation});
		std::set<std::int64_t> longer;
		for (const std::int64_t shorter : hashes)
			for (const std::uint32_t hash : equality.hashes)
				longer.insert(combine(shorter, hash));
		hashes = std::move(longer);
	}
	key.hashes.assign(hashes.begin(), hashes.end());
	return key;
}

template <typename Element, typename Number>
std::string array_text(const std::vector<Element> &elements, Number &&number)
{
	std::string text = "{";
	for (const Element &element : elements)
		text += (text.size() > 1 ? "," : "") + std::to_string(number(element));
	return text + "}";
}

} // namespace

std::vector<std::optional<std::string>> stored_key(pg::Oid owner, pg::Oid condition)
{
	pg::IndexKey known;
	// A constant part that fails keeps nobody from making the rule: it fails when the rule is met.
	if (pg::subtransaction([&] {
			const pg::ActAs identity(owner, pg::ActAs::Manner::restricted, pg::system_path);
			known = pg::index_key_of(condition);
		}))
		known = {};
	const Key key = key_of(std::move(known.equalities));
	return {array_text(known.watched, std::identity()),
		array_text(key.columns, std::mem_fn(&Key::Column::number)),
		array_text(key.columns, std::mem_fn(&Key::Column::function)),
		array_text(key.columns, std::mem_fn(&Key::Column::collation)),
		array_text(key.hashes, std::identity())};
}

void keep_index()
{
	static pg::Statement statement("SELECT automation._index_rules()");
	static std::uint64_t seen = 0;
	const std::uint64_t generation = pg::definitions_generation();
	if (seen == generation)
		return;
	pg::Spi spi;
	statement.execute({});
	seen = generation;
}

Index::Shape &Index::shape_for(const std::vector<Key::Column> &columns)
{
	for (Shape &shape : shapes_)
		if (shape.columns == columns)
			return shape;
	const bool is_usable = !columns.empty() &&
		std::ranges::all_of(columns,
			[](const Key::Column &column) { return pg::function_exists(column.function); });
	return shapes_.emplace_back(Shape{columns, is_usable});
}

void Index::add(int number, const Key &key)
{
	Shape &shape = shape_for(key.columns);
	if (!shape.is_usable)
		without_key_.push_back(number);
	else
		for (const std::int64_t hash : key.hashes)
			shape.rules.add(hash, number);
}

std::vector<Index::Probe> Index::probes(const pg::RowChange &change) const
{
	std::vector<Probe> probes;
	probes.reserve(shapes_.size());
	for (std::size_t number = 0; number < shapes_.size(); ++number) {
		std::int64_t key = 0;
		bool complete = shapes_[number].is_usable;
		for (const Key::Column &column : shapes_[number].columns) {
			const auto hash = complete
				? change.hash(column.number, column.function, column.collation)
				: std::nullopt;
			complete = hash.has_value();
			if (!complete)
				break;
			key = combine(key, *hash);
		}
		if (complete)
			probes.push_back({number, key});
	}
	return probes;
}

std::vector<int> Index::found(const std::vector<Probe> &probes) const
{
	std::vector<int> numbers = without_key_;
	for (const Probe &probe : probes)
		shapes_[probe.shape].rules.visit(
			probe.hash, [&](int number) { numbers.push_back(number); });
	return numbers;
}

} // namespace automation::engine
