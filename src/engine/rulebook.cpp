#include "engine/rulebook.hpp"

#include "pg/compiled.hpp"
#include "pg/definitions.hpp"
#include "pg/identity.hpp"

namespace automation::engine {

namespace {

StepKind kind_of(const std::string &name)
{
	if (name == "message")
		return StepKind::message;
	return name == "statement" ? StepKind::statement : StepKind::engine;
}

bool contains(const std::string &list, const char *word)
{
	return list.find(word) != std::string::npos;
}

} // namespace

Chapter::Chapter(int entity_id) : entity(entity_id)
{
	pg::Spi spi;
	static pg::Statement relation_of("SELECT relation::oid FROM automation.entity WHERE id = $1");
	const pg::Rows found = relation_of.execute_fresh({pg::Value::int4(entity)});
	if (found.size() == 0)
		return;
	const pg::Oid relation = static_cast<pg::Oid>(found.integer(0, 1));
	pg::depend_on(relation);
	const pg::InMemory inside(memory);
	type.emplace(relation);
	read_rules();
	read_steps();
}

void Chapter::read_rules()
{
	static pg::Statement rules_of(
		"SELECT rule_id, version, owner, search_path, subject, events::text, on_error = 'fail', "
		"when_function, key_function FROM automation._rules_of($1)");
	const pg::Rows found = rules_of.execute_fresh({pg::Value::int4(entity)});
	rules.reserve(found.size());
	for (std::uint64_t i = 0; i < found.size(); ++i) {
		const auto owner = static_cast<pg::Oid>(found.integer(i, 3));
		const std::string events = found.text(i, 6).value_or("");
		const auto add = [&] {
			const pg::ActAs identity(owner, pg::ActAs::Manner::restricted);
			pg::check_readable(static_cast<pg::Oid>(found.integer(i, 8)));
			rules.push_back(
				{static_cast<int>(found.integer(i, 1)), static_cast<int>(found.integer(i, 2)),
					owner, found.text(i, 4).value_or("pg_catalog, pg_temp"),
					static_cast<int>(found.integer(i, 5)), contains(events, "insert"),
					contains(events, "update"), contains(events, "delete"), found.boolean(i, 7),
					pg::Expression(static_cast<pg::Oid>(found.integer(i, 8)), *type),
					pg::Expression(static_cast<pg::Oid>(found.integer(i, 9)), *type)});
			index.add(static_cast<int>(rules.size()) - 1, rules.back().when.equalities());
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
		"SELECT rule_id, step, action, kind, step_function, if_function, server, channel, "
		"channel_kind, after_previous FROM automation._steps_of($1)");
	const pg::Rows found = steps_of.execute_fresh({pg::Value::int4(entity)});
	for (std::uint64_t i = 0; i < found.size(); ++i)
		for (Rule &rule : rules)
			if (rule.id == found.integer(i, 1))
				rule.steps.push_back(
					{static_cast<int>(found.integer(i, 2)), kind_of(found.text(i, 4).value_or("")),
						found.text(i, 3).value_or(""), static_cast<pg::Oid>(found.integer(i, 5)),
						static_cast<pg::Oid>(found.integer(i, 6)),
						static_cast<pg::Oid>(found.integer(i, 7)), found.text(i, 8).value_or(""),
						found.text(i, 9).value_or(""), found.boolean(i, 10)});
}

// All chapters read since the last change of a definition.
struct Rulebook::Book {
	std::uint64_t generation = pg::definitions_generation();
	int readers = 0;
	std::map<int, std::unique_ptr<Chapter>> chapters;
};

Rulebook::Book *Rulebook::current = nullptr;

Rulebook::Rulebook()
{
	if (!current || current->generation != pg::definitions_generation()) {
		if (current && current->readers == 0)
			delete current;
		pg::forget_dependencies();
		current = new Book;
	}
	book_ = current;
	++book_->readers;
}

Rulebook::~Rulebook()
{
	if (--book_->readers == 0 && book_ != current)
		delete book_;
}

Chapter &Rulebook::chapter(int entity) const
{
	std::unique_ptr<Chapter> &chapter = book_->chapters[entity];
	if (!chapter) {
		const pg::ActAs identity(pg::extension_owner(), pg::ActAs::Manner::definer);
		chapter = std::make_unique<Chapter>(entity);
	}
	return *chapter;
}

Rule *Rulebook::rule(int id, Chapter **chapter) const
{
	static pg::Statement entity_of("SELECT e.id FROM automation.rule r JOIN automation.entity e ON "
								   "e.relation = r.event_relation "
								   "WHERE r.id = $1");
	int entity;
	{
		const pg::ActAs identity(pg::extension_owner(), pg::ActAs::Manner::definer);
		pg::Spi spi;
		const pg::Rows found = entity_of.execute_fresh({pg::Value::int4(id)});
		if (found.size() == 0)
			return nullptr;
		entity = static_cast<int>(found.integer(0, 1));
	}
	*chapter = &this->chapter(entity);
	for (Rule &rule : (*chapter)->rules)
		if (rule.id == id)
			return &rule;
	return nullptr;
}

} // namespace automation::engine
