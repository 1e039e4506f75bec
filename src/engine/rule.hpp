// A rule as the writer's backend holds it: what it waits for and what it does.
#pragma once

#include "pg/expression.hpp"
#include "pg/identity.hpp"

#include <optional>
#include <string>
#include <vector>

namespace automation::engine {

enum class StepKind { message, statement, engine };

struct Step {
	int number;
	StepKind kind;
	std::string action;
	pg::Oid function;
	pg::Oid condition; // 0: none
	pg::Oid server;	   // 0 when it sends nothing
	std::string channel;
	std::string channel_kind;
	bool after_previous;
	// Compiled on first use.
	std::optional<pg::Expression> does = {};
	std::optional<pg::Expression> only_if = {};
};

struct Rule {
	int id;
	int version;
	pg::Oid owner;
	std::string search_path;
	int subject; // the entity whose row the rule is about
	bool on_insert, on_update, on_remove;
	bool fails_the_write; // on_error => 'fail'
	pg::Expression when;
	pg::Expression key; // of the subject's row
	std::vector<Step> steps = {};

	bool listens_to(pg::Event event) const
	{
		return event == pg::Event::insert ? on_insert
			: event == pg::Event::update  ? on_update
										  : on_remove;
	}
};

// Evaluates with the rights of the rule's owner, whoever's write it is, in a restricted context.
// Only a statement runs as in a SECURITY DEFINER function, if its owner has the writer's rights
// anyway: it could leave code that the writer's COMMIT would run. The search path counts only for
// the code of users; PostgreSQL's own is compiled already.
template <typename Evaluate>
auto as_owner(
	const Rule &rule, const pg::Expression &expression, StepKind kind, Evaluate &&evaluate)
{
	const auto manner = kind == StepKind::statement && pg::has_rights_of_session(rule.owner)
		? pg::ActAs::Manner::definer
		: pg::ActAs::Manner::restricted;
	const pg::OrdinarySettings settings(expression.depends_on_settings()
			? pg::OrdinarySettings::Need::all
			: pg::OrdinarySettings::Need::none);
	if (expression.is_built_in()) {
		const pg::ActAs identity(rule.owner, manner);
		return evaluate();
	}
	const pg::ActAs identity(rule.owner, manner, rule.search_path);
	return evaluate();
}

} // namespace automation::engine
