#include "engine/chapter.hpp"

#include "pg/compiled.hpp"
#include "pg/definitions.hpp"
#include "pg/identity.hpp"
#include "pg/json.hpp"

#include <algorithm>

namespace automation::engine {

namespace {

StepKind kind_of(const std::string &name)
{
	if (name == "message")
		return StepKind::message;
	return name == "statement" ? StepKind::statement : StepKind::engine;
}

State state_of(const std::string &name)
{
	if (name == "active")
		return State::active;
	return name == "paused" ? State::paused : State::disabled;
}

Wait::Anchor anchor_of(const std::string &name)
{
	if (name == "previous")
		return Wait::Anchor::previous;
	if (name == "entered")
		return Wait::Anchor::entered;
	if (name == "left")
		return Wait::Anchor::leaving;
	return name == "trigger" ? Wait::Anchor::trigger : Wait::Anchor::field;
}

bool contains(const std::string &list, const char *word)
{
	return list.find(word) != std::string::npos;
}

// The numbers in "{3,5}".
std::vector<int> numbers_of(const std::string &array)
{
	std::vector<int> numbers;
	std::size_t comma = 0; // or the brace
	while (comma != array.npos && array.size() > 2) {
		numbers.push_back(std::stoi(array.substr(comma + 1)));
		comma = array.find(',', comma + 1);
	}
	return numbers;
}

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
	const pg::Oid relation = oid_of(found, 0, 1);
	owner_ = oid_of(found, 0, 2);
	pg::depend_on(relation);
	const pg::InMemory inside(memory);
	type.emplace(relation);
	key_.emplace(oid_of(found, 0, 3), *type);
	read_rules();
	read_steps();
	read_waits();
	read_watched();
	for (std::size_t i = 0; i < rules.size(); ++i)
		if (rules[i].is_active)
			(rules[i].at_commit ? at_commit : index)
				.add(static_cast<int>(i),
					rules[i].is_standing ? std::vector<pg::Equality>()
										 : rules[i].when.equalities());
	judges_at_commit = std::ranges::any_of(
		rules, [](const Rule &rule) { return rule.is_active && rule.at_commit; });
}

void Chapter::read_rules()
{
	static pg::Statement rules_of(
		"SELECT rule_id, version, owner, search_path, subject, events::text, on_error = 'fail', "
		"when_function, key_function, still_function, is_standing, is_active, state, "
		"in_flight = 'finish', evaluate = 'commit' FROM automation._rules_of($1)");
	const pg::Rows found = rules_of.execute_fresh({pg::Value::int4(entity)});
	rules.reserve(found.size());
	for (std::uint64_t i = 0; i < found.size(); ++i) {
		const pg::Oid owner = oid_of(found, i, 3);
		const std::string events = found.text(i, 6).value_or("");
		const std::string search_path = found.text(i, 4).value_or(pg::system_path);
		const auto add = [&] {
			const pg::ActAs identity(owner, pg::ActAs::Manner::restricted, search_path);
			pg::check_readable(oid_of(found, i, 8));
			rules.push_back({.id = static_cast<int>(found.integer(i, 1)),
				.version = static_cast<int>(found.integer(i, 2)),
				.owner = owner,
				.search_path = search_path,
				.subject = static_cast<int>(found.integer(i, 5)),
				.on_insert = contains(events, "insert"),
				.on_update = contains(events, "update"),
				.on_remove = contains(events, "delete"),
				.fails_the_write = found.boolean(i, 7),
				.is_standing = found.boolean(i, 11),
				.is_active = found.boolean(i, 12),
				.finishes = found.boolean(i, 14),
				.at_commit = found.boolean(i, 15),
				.state = state_of(found.text(i, 13).value_or("")),
				.when = pg::Expression(oid_of(found, i, 8), *type),
				.key = pg::Expression(oid_of(found, i, 9), *type),
				.still = {oid_of(found, i, 10)}});
		};
		// A rule that cannot be compiled any more (a privilege was revoked) stops none of the
		// others.
		if (const std::optional<pg::Error> error = pg::subtransaction(add))
			error->log_warning();
	}
}

void Chapter::read_steps()
{
	static pg::Statement steps_of(
		"SELECT rule_id, version, step, action, kind, step_function, if_function, server, channel, "
		"channel_kind FROM automation._steps_of($1)");
	const pg::Rows found = steps_of.execute_fresh({pg::Value::int4(entity)});
	for (std::uint64_t i = 0; i < found.size(); ++i)
		if (Rule *rule =
				find(static_cast<int>(found.integer(i, 1)), static_cast<int>(found.integer(i, 2))))
			rule->steps.push_back({.number = static_cast<int>(found.integer(i, 3)),
				.kind = kind_of(found.text(i, 5).value_or("")),
				.action = found.text(i, 4).value_or(""),
				.does = {oid_of(found, i, 6)},
				.only_if = {oid_of(found, i, 7)},
				.server = oid_of(found, i, 8),
				.channel = found.text(i, 9).value_or(""),
				.channel_kind = found.text(i, 10).value_or("")});
}

void Chapter::read_waits()
{
	static pg::Statement waits_of(
		"SELECT rule_id, version, step, due_function, unless_function, cancelled_by::text, "
		"anchored_on, by_difference, after_previous, anchor, recurs, has_no_row "
		"FROM automation._wait "
		"WHERE event_relation = (SELECT relation FROM automation.entity WHERE id = $1)");
	const pg::Rows found = waits_of.execute_fresh({pg::Value::int4(entity)});
	for (std::uint64_t i = 0; i < found.size(); ++i) {
		Rule *rule =
			find(static_cast<int>(found.integer(i, 1)), static_cast<int>(found.integer(i, 2)));
		const auto step = static_cast<std::size_t>(found.integer(i, 3));
		if (!rule || step > rule->steps.size())
			continue;
		(step == 0 ? rule->wait : rule->steps[step - 1].wait)
			.emplace(Wait{.anchor = anchor_of(found.text(i, 10).value_or("")),
				.after_previous = found.boolean(i, 9),
				.by_difference = found.boolean(i, 8),
				.recurs = found.boolean(i, 11),
				.has_no_row = found.boolean(i, 12),
				.anchored_on = static_cast<int>(found.integer(i, 7)),
				.cancelled_by = numbers_of(found.text(i, 6).value_or("{}")),
				.due = {oid_of(found, i, 4)},
				.unless = {oid_of(found, i, 5)}});
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

Rule *Chapter::find(int id, int version)
{
	for (Rule &rule : rules)
		if (rule.id == id && rule.version == version)
			return &rule;
	return nullptr;
}

const pg::Expression &Chapter::compile(const Rule &rule, Part &part) const
{
	if (!part.compiled) {
		const pg::ActAs identity(rule.owner, pg::ActAs::Manner::restricted, rule.search_path);
		pg::check_readable(part.function);
		const pg::InMemory inside(memory);
		part.compiled.emplace(part.function, *type);
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

} // namespace automation::engine
