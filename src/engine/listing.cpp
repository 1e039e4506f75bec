#include "engine/listing.hpp"

#include "pg/numbers.hpp"

#include <algorithm>
#include <tuple>

namespace automation::engine {

namespace {

constexpr int longest_read = 1'000;		  // rules; more are not read at once
constexpr std::size_t most_asked = 1'000; // then all are read

using Plan = pg::Statement::Plan;

std::vector<int> small(const std::vector<std::int64_t> &numbers)
{
	return {numbers.begin(), numbers.end()};
}

int integer(const pg::Rows &rows, std::uint64_t row, int column)
{
	return static_cast<int>(rows.integer(row, column));
}

// Columns, functions and collations from that column on.
std::vector<Key::Column> columns_at(const pg::Rows &rows, std::uint64_t row, int column)
{
	const std::vector<std::int64_t> numbers = pg::numbers_at(rows, row, column);
	const std::vector<std::int64_t> functions = pg::numbers_at(rows, row, column + 1);
	const std::vector<std::int64_t> collations = pg::numbers_at(rows, row, column + 2);
	std::vector<Key::Column> columns;
	for (std::size_t i = 0; i < numbers.size(); ++i)
		columns.push_back({static_cast<int>(numbers[i]), static_cast<pg::Oid>(functions.at(i)),
			static_cast<pg::Oid>(collations.at(i))});
	return columns;
}

Key key_at(const pg::Rows &rows, std::uint64_t row, int column)
{
	return {columns_at(rows, row, column), pg::numbers_at(rows, row, column + 3)};
}

} // namespace

void Listing::read(pg::Oid relation)
{
	relation_ = relation;
	static pg::Statement extent(
		"SELECT automation._is_indexed(), automation._is_long($1::regclass, $2)");
	const pg::Rows found =
		extent.execute_fresh({pg::Value::oid(relation_), pg::Value::int4(longest_read)});
	const bool is_indexed = found.boolean(0, 1), is_long = found.boolean(0, 2);
	if (!is_indexed)
		read_unknown();
	else if (is_long)
		read_shapes();
	else
		read_all();
}

// Rules that came with a dump, and are not in rule_index yet.
void Listing::read_unknown()
{
	static pg::Statement list(
		"SELECT r.rule_id, r.version, r.place, r.at_commit, k.watched, k.columns, k.functions, "
		"k.collations, k.hashes FROM automation._rules_of($1::regclass) AS r, "
		"LATERAL automation._known_of(r.rule_id, r.version) AS k");
	const pg::Rows found = list.execute_fresh({pg::Value::oid(relation_)});
	for (std::uint64_t row = 0; row < found.size(); ++row)
		add(found, row);
}

void Listing::read_shapes()
{
	static pg::Statement shapes(
		"SELECT at_commit, columns, functions, collations FROM automation._shapes_of($1::regclass)",
		Plan::by_index);
	static pg::Statement without_key(
		"SELECT rule_id, version, place, at_commit, watched, columns, functions, collations, "
		"hashes FROM automation._listed($1::regclass) WHERE columns = '{}'",
		Plan::by_index);
	is_complete_ = false;
	const pg::Rows found = shapes.execute_fresh({pg::Value::oid(relation_)});
	for (std::uint64_t row = 0; row < found.size(); ++row) {
		const bool at_commit = found.boolean(row, 1);
		judges_at_commit_ |= at_commit;
		const std::vector<Key::Column> columns = columns_at(found, row, 2);
		if (!index_of(at_commit).expect(columns) && !columns.empty())
			return read_all(); // a hash function is gone: nothing would lead to its rules
	}
	const pg::Rows rules = without_key.execute_fresh({pg::Value::oid(relation_)});
	for (std::uint64_t row = 0; row < rules.size(); ++row)
		add(rules, row);
}

void Listing::read_all()
{
	static pg::Statement list(
		"SELECT rule_id, version, place, at_commit, watched, columns, functions, collations, "
		"hashes FROM automation._listed($1::regclass)");
	const pg::Rows found = list.execute_fresh({pg::Value::oid(relation_)});
	entries_.reserve(found.size());
	for (std::uint64_t row = 0; row < found.size(); ++row)
		add(found, row);
	is_complete_ = true;
	asked_.clear();
}

void Listing::ask_for(const std::vector<Index::Probe> &probes)
{
	static pg::Statement list(
		"SELECT rule_id, version, place, at_commit, watched, columns, functions, collations, "
		"hashes FROM automation._listed($1::regclass) WHERE hashes @> ARRAY[$2]",
		Plan::by_index);
	for (const Index::Probe &probe : probes) {
		if (is_complete_ || asked_.contains(probe.hash))
			continue;
		pg::Spi spi;
		if (asked_.size() >= most_asked) {
			read_all();
			return;
		}
		const pg::Rows found =
			list.execute_fresh({pg::Value::oid(relation_), pg::Value::int8(probe.hash)});
		for (std::uint64_t row = 0; row < found.size(); ++row)
			add(found, row);
		asked_.insert(probe.hash);
	}
}

// One that is listed stays as it is listed: a newer version is for who reads the list anew.
void Listing::add(const pg::Rows &rows, std::uint64_t row)
{
	const int id = integer(rows, row, 1);
	if (listed(id))
		return;
	const auto number = static_cast<int>(entries_.size());
	const bool at_commit = rows.boolean(row, 4);
	entries_.push_back({id, integer(rows, row, 2), integer(rows, row, 3),
		number_of(small(pg::numbers_at(rows, row, 5)))});
	judges_at_commit_ |= at_commit;
	index_of(at_commit).add(number, key_at(rows, row, 6));
	numbers_.add(id, number);
}

int Listing::number_of(std::vector<int> watched_list)
{
	const auto known = std::ranges::find(watched_lists_, watched_list);
	const auto number = static_cast<int>(known - watched_lists_.begin());
	if (known == watched_lists_.end())
		watched_lists_.push_back(std::move(watched_list));
	return number;
}

std::optional<int> Listing::listed(int id) const
{
	std::optional<int> found;
	numbers_.visit(id, [&](int number) { found = number; });
	return found;
}

std::optional<int> Listing::number_of(int id)
{
	static pg::Statement list(
		"SELECT rule_id, version, place, at_commit, watched, columns, functions, collations, "
		"hashes FROM automation._listed($1::regclass) WHERE rule_id = $2",
		Plan::by_index);
	if (const std::optional<int> number = listed(id); number || is_complete_)
		return number;
	pg::Spi spi;
	const pg::Rows found = list.execute_fresh({pg::Value::oid(relation_), pg::Value::int4(id)});
	for (std::uint64_t row = 0; row < found.size(); ++row)
		add(found, row);
	return listed(id);
}

bool Listing::is_unwatched(int number, const pg::RowChange &change)
{
	const auto &columns = watched_lists_[static_cast<std::size_t>(entry(number).watched)];
	return std::ranges::any_of(columns, [&](int column) { return !change.changed(column); });
}

std::vector<int> Listing::candidates(Moment moment, const pg::RowChange &change)
{
	const Index &index = index_of(moment == Moment::commit);
	const std::vector<Index::Probe> probes = index.probes(change);
	if (!is_complete_)
		ask_for(probes);
	std::vector<int> numbers = index.found(probes);
	if (change.event() == pg::Event::update)
		std::erase_if(numbers, [&](int number) { return is_unwatched(number, change); });
	std::ranges::sort(numbers, {}, [&](int number) {
		const Entry &rule = entry(number);
		return std::tuple(rule.place, rule.id);
	});
	return numbers;
}

} // namespace automation::engine
