#include "engine/chapter.hpp"

#include "engine/reader.hpp"
#include "pg/identity.hpp"
#include "pg/json.hpp"

#include <algorithm>

namespace automation::engine {

namespace {

constexpr std::size_t most_compiled = 8'388'608; // bytes

pg::Oid oid_of(const pg::Rows &rows, std::uint64_t row, int column)
{
	return static_cast<pg::Oid>(rows.integer(row, column));
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
	listing_.read(oid_of(found, 0, 1));
	read_watched();
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

std::vector<int> Chapter::candidates(const pg::RowChange &change)
{
	return listing_.candidates(Listing::Moment::row, change);
}

std::vector<int> Chapter::candidates_at_commit(const pg::RowChange &net_change)
{
	return listing_.candidates(Listing::Moment::commit, net_change);
}

Rule *Chapter::listed(int number)
{
	Rule *rule = listing_.entry(number).rule;
	if (!rule) {
		rule = find(listing_.entry(number).id, listing_.entry(number).version);
		listing_.entry(number).rule = rule;
	}
	return rule;
}

int Chapter::listed_id(int number)
{
	return listing_.entry(number).id;
}

Rule *Chapter::present(int id)
{
	const std::optional<int> number = listing_.number_of(id);
	return number ? listed(*number) : nullptr;
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
