#include "engine/chapter.hpp"

#include "engine/reader.hpp"
#include "pg/identity.hpp"
#include "pg/json.hpp"
#include "pg/numbers.hpp"

namespace automation::engine {

namespace {

constexpr std::size_t most_compiled = 8 * 1024 * 1024; // bytes

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

} // namespace

Chapter::Chapter(int entity_id) : entity(entity_id)
{
	pg::Spi spi;
	static pg::Statement relation_of(
		"SELECT c.oid, c.relowner, automation._compiled(format('entity_%s_key', e.id))::oid, "
		"EXISTS (SELECT FROM automation.hold) "
		"FROM automation.entity AS e JOIN pg_catalog.pg_class AS c ON c.oid = e.relation "
		"WHERE e.id = $1");
	const pg::Rows found = relation_of.execute_fresh({pg::Value::int4(entity)});
	if (found.size() == 0)
		return;
	owner_ = oid_of(found, 0, 2);
	const pg::Oid key = oid_of(found, 0, 3);
	something_is_held_ = found.boolean(0, 4);
	const pg::InMemory inside(memory);
	type.emplace(oid_of(found, 0, 1));
	key_ = std::make_unique<pg::Expression>(key, *type);
	read_list();
	read_watched();
}

void Chapter::read_list()
{
	static pg::Statement list(
		"SELECT rule_id, version, watched, columns, functions, collations, hashes "
		"FROM automation._rules_of($1)");
	const pg::Rows found = list.execute_fresh({pg::Value::int4(entity)});
	listed_.reserve(found.size());
	for (std::uint64_t i = 0; i < found.size(); ++i) {
		index_.add(static_cast<int>(i), key_at(found, i, 4));
		listed_.push_back({static_cast<int>(found.integer(i, 1)),
			static_cast<int>(found.integer(i, 2)), small(pg::numbers_at(found, i, 3))});
	}
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
	std::vector<int> numbers = index_.candidates(change);
	if (change.event() == pg::Event::update)
		std::erase_if(numbers, [&](int number) {
			return std::ranges::any_of(listed_[static_cast<std::size_t>(number)].watched,
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

Rule *Chapter::active(int id)
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

bool Chapter::holds_back(const Rule &rule, const std::string &row) const
{
	if (!something_is_held_)
		return false;
	static pg::Statement held("SELECT automation._is_held($1, $2, $3)");
	pg::Spi spi;
	return held
		.execute_fresh(
			{pg::Value::int4(rule.subject), pg::Value::text(row), pg::Value::int4(rule.id)})
		.boolean(0, 1);
}

const pg::Expression &Chapter::compile(const Rule &rule, Part &part) const
{
	if (!part.is_compiled()) {
		std::unique_ptr<pg::Expression> fresh = compiled(rule, part);
		if (part.compiled)
			part.outdated.push_back(std::move(part.compiled));
		part.compiled = std::move(fresh);
	}
	return *part.compiled;
}

void Chapter::check(const Rule &rule, const Part &part) const
{
	compiled(rule, part);
}

std::unique_ptr<pg::Expression> Chapter::compiled(const Rule &rule, const Part &part) const
{
	pg::require_role(rule.owner);
	const pg::ActAs identity(rule.owner, pg::ActAs::Manner::restricted, rule.search_path);
	return std::make_unique<pg::Expression>(part.function, *type);
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
