#include "engine/chapter.hpp"

#include "engine/reader.hpp"
#include "pg/identity.hpp"
#include "pg/json.hpp"
#include "pg/numbers.hpp"

#include <algorithm>
#include <tuple>

namespace automation::engine {

namespace {

constexpr std::size_t most_compiled = 8'388'608; // bytes

pg::Oid oid_of(const pg::Rows &rows, std::uint64_t row, int column)
{
	return static_cast<pg::Oid>(rows.integer(row, column));
}

std::vector<int> small(const std::vector<std::int64_t> &numbers)
{
	return {numbers.begin(), numbers.end()};
}

Key key_at(const pg::Rows &rows, std::uint64_t row, int column)
{
	const std::vector<std::int64_t> numbers = pg::numbers_at(rows, row, column);
	const std::vector<std::int64_t> functions = pg::numbers_at(rows, row, column + 1);
	const std::vector<std::int64_t> collations = pg::numbers_at(rows, row, column + 2);
	Key key;
	for (std::size_t i = 0; i < numbers.size(); ++i)
		key.columns.push_back({static_cast<int>(numbers[i]), static_cast<pg::Oid>(functions.at(i)),
			static_cast<pg::Oid>(collations.at(i))});
	key.hashes = pg::numbers_at(rows, row, column + 3);
	return key;
}

// By place, equals by id.
std::vector<std::uint64_t> in_listed_order(const pg::Rows &rules)
{
	std::vector<std::tuple<std::int64_t, std::int64_t, std::uint64_t>> places;
	places.reserve(rules.size());
	for (std::uint64_t row = 0; row < rules.size(); ++row)
		places.emplace_back(rules.integer(row, 3), rules.integer(row, 1), row);
	std::ranges::sort(places);
	std::vector<std::uint64_t> rows;
	rows.reserve(places.size());
	for (const auto &[place, id, row] : places)
		rows.push_back(row);
	return rows;
}

} // namespace

Chapter::Chapter(int entity_id) : entity(entity_id)
{
	pg::Spi spi;
	static pg::Statement relation_of(
		"SELECT c.oid, c.relowner, automation._compiled(format('entity_%s_key', e.id))::oid "
		"FROM automation.entity AS e JOIN pg_catalog.pg_class AS c ON c.oid = e.relation "
		"WHERE e.id = $1");
	const pg::Rows found = relation_of.execute_fresh({pg::Value::int4(entity)});
	if (found.size() == 0)
		return;
	owner_ = oid_of(found, 0, 2);
	const pg::Oid key = oid_of(found, 0, 3);
	const pg::InMemory inside(memory);
	type.emplace(oid_of(found, 0, 1));
	key_ = std::make_unique<pg::Expression>(key, *type);
	read_list();
	read_watched();
}

void Chapter::read_list()
{
	static pg::Statement list("SELECT rule_id, version, place, is_known, watched, columns, "
							  "functions, collations, hashes, "
							  "at_commit FROM automation._rules_of($1)");
	const pg::Rows found = list.execute_fresh({pg::Value::int4(entity)});
	listed_.reserve(found.size());
	for (const std::uint64_t row : in_listed_order(found)) {
		const auto number = static_cast<int>(listed_.size());
		const bool at_commit = found.boolean(row, 10);
		judges_at_commit |= at_commit;
		listed_.push_back(
			{static_cast<int>(found.integer(row, 1)), static_cast<int>(found.integer(row, 2)),
				number_of(small(pg::numbers_at(found, row, 5)))});
		const Key key = found.boolean(row, 4) ? key_at(found, row, 6) : unknown_key(number);
		(at_commit ? index_at_commit_ : index_).add(number, key);
	}
}

// A rule that came with a dump and is not in rule_index yet.
Key Chapter::unknown_key(int number)
{
	static pg::Statement known(
		"SELECT watched, columns, functions, collations, hashes FROM automation._known_of($1, $2)");
	Listed &rule = listed_[static_cast<std::size_t>(number)];
	pg::Spi spi;
	const pg::Rows found =
		known.execute_fresh({pg::Value::int4(rule.id), pg::Value::int4(rule.version)});
	if (found.size() == 0)
		return {};
	rule.watched = number_of(small(pg::numbers_at(found, 0, 1)));
	return key_at(found, 0, 2);
}

int Chapter::number_of(std::vector<int> watched_list)
{
	const auto known = std::ranges::find(watched_lists_, watched_list);
	const auto number = static_cast<int>(known - watched_lists_.begin());
	if (known == watched_lists_.end())
		watched_lists_.push_back(std::move(watched_list));
	return number;
}

void Chapter::read_watched()
{
	static pg::Statement touched("SELECT attnum, name FROM automation._touched_columns($1)");
	const pg::Rows found = touched.execute_fresh({pg::Value::int4(entity)});
	something_waits = found.size() > 0;
	for (std::uint64_t i = 0; i < found.size(); ++i)
		if (found.integer(i, 1) != 0)
			watched.push_back(
				{static_cast<int>(found.integer(i, 1)), found.text(i, 2).value_or("")});
}

std::vector<int> Chapter::candidates(const pg::RowChange &change) const
{
	return candidates(index_, change);
}

std::vector<int> Chapter::candidates_at_commit(const pg::RowChange &net_change) const
{
	return candidates(index_at_commit_, net_change);
}

std::vector<int> Chapter::candidates(const Index &index, const pg::RowChange &change) const
{
	std::vector<int> numbers = index.candidates(change);
	if (change.event() == pg::Event::update)
		std::erase_if(numbers, [&](int number) {
			const Listed &rule = listed_[static_cast<std::size_t>(number)];
			return std::ranges::any_of(watched_lists_[static_cast<std::size_t>(rule.watched)],
				[&](int column) { return !change.changed(column); });
		});
	return numbers;
}

Rule *Chapter::listed(int number)
{
	Listed &entry = listed_[static_cast<std::size_t>(number)];
	if (!entry.rule)
		entry.rule = find(entry.id, entry.version);
	return entry.rule;
}

int Chapter::listed_id(int number) const
{
	return listed_[static_cast<std::size_t>(number)].id;
}

Rule *Chapter::present(int id)
{
	for (std::size_t i = 0; i < listed_.size(); ++i)
		if (listed_[i].id == id)
			return listed(static_cast<int>(i));
	return nullptr;
}

Rule *Chapter::find(int id, int version)
{
	std::unique_ptr<Rule> &rule = rules_[{id, version}];
	if (!rule)
		rule = read_rule(id, version);
	return rule.get();
}

const pg::Expression &Chapter::compile(const Rule &rule, Part &part) const
{
	if (!part.is_compiled()) {
		std::unique_ptr<pg::Expression> fresh = compiled(rule, part, *type);
		if (part.compiled)
			part.outdated.push_back(std::move(part.compiled));
		part.compiled = std::move(fresh);
	}
	return *part.compiled;
}

pg::RowFinder &Chapter::rows()
{
	static pg::Statement query("SELECT automation._find_query(relation) FROM automation.entity "
							   "WHERE id = $1");
	if (!rows_) {
		pg::Spi spi;
		const pg::Rows found = query.execute_fresh({pg::Value::int4(entity)});
		rows_.emplace(found.text(0, 1).value(), owner_);
	}
	return *rows_;
}

std::string Chapter::key_of(const pg::RowChange &change) const
{
	const std::optional<pg::Datum> value =
		as_role(owner_, pg::system_path, pg::ActAs::Manner::restricted, *key_, [&] {
			return key_->value(change.event() == pg::Event::remove ? change.as_it_was() : change);
		});
	return value ? pg::key_text(*value) : std::string();
}

InHand::InHand(Rule &rule) : rule_(rule)
{
	++rule_.users;
}

InHand::~InHand()
{
	if (--rule_.users > 0)
		return;
	const bool is_too_much = pg::Expression::memory_in_use() > most_compiled;
	rule_.visit_parts([&](Part &part) {
		part.outdated.clear();
		if (is_too_much)
			part.compiled.reset();
	});
}

} // namespace automation::engine
