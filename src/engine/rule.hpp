// A rule as the writer's backend holds it: what it waits for and what it does.
#pragma once

#include "pg/expression.hpp"
#include "pg/identity.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace automation::engine {

enum class StepKind { message, statement, engine };

// Compiled on first use.
struct Part {
	pg::Oid function = 0; // 0: there is none
	std::optional<pg::Expression> compiled = {};

	explicit operator bool() const { return function != 0; }
};

// What a step waits for, and what cancels it while it waits.
struct Wait {
	enum class Anchor { trigger, previous, entered, leaving, field };

	Anchor anchor = Anchor::trigger;
	bool after_previous = false;
	bool by_difference = false; // cancelled if a value differs then, whatever it was in between
	bool recurs = false;
	bool has_no_row = false;			// a schedule of the rule itself
	int anchored_on = 0;				// column of the subject
	std::vector<int> cancelled_by = {}; // columns of the subject
	Part due = {};						// 0: at once, when what it waits for has come
	Part unless = {};
};

struct Step {
	int number;
	StepKind kind;
	std::string action;
	Part does;
	Part only_if;
	pg::Oid server; // 0 when it sends nothing
	std::string channel;
	std::string channel_kind;
	std::optional<Wait> wait = {};
};

enum class State { active, paused, disabled };

struct Rule {
	int id;
	int version;
	pg::Oid owner;
	std::string search_path;
	int subject; // the entity whose row the rule is about
	bool on_insert, on_update, on_remove;
	bool fails_the_write; // on_error => 'fail'
	bool is_standing;	  // waits for a date of the row, for as long as `still` holds
	bool is_active;		  // takes new runs
	bool finishes;		  // though disabled, goes on with the runs it has begun
	bool at_commit;		  // judged once for each row, by what the whole transaction has made of it
	State state;
	pg::Expression when;
	pg::Expression key; // of the subject's row
	Part still = {};	// when the run begins later: whether it begins then
	std::optional<Wait> wait = {};
	std::vector<Step> steps = {};

	bool has_waits() const
	{
		return std::ranges::any_of(steps, [](const Step &step) { return step.wait.has_value(); });
	}
	bool listens_to(pg::Event event) const
	{
		return event == pg::Event::insert ? on_insert
			: event == pg::Event::update  ? on_update
										  : on_remove;
	}
};

// Evaluates with somebody's rights. The search path counts only for the code of users; PostgreSQL's
// own is compiled already.
template <typename Evaluate>
auto as_role(pg::Oid role, const std::string &search_path, pg::ActAs::Manner manner,
	const pg::Expression &expression, Evaluate &&evaluate)
{
	if (expression.is_built_in()) {
		const pg::RightsOf identity(role, manner);
		return evaluate();
	}
	const pg::ActAs identity(role, manner, search_path);
	return evaluate();
}

// With the rights of the rule's owner, whoever's write it is, in a restricted context. Only a
// statement runs as in a SECURITY DEFINER function, if its owner has the writer's rights anyway: it
// could leave code that the writer's COMMIT would run.
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
	return as_role(rule.owner, rule.search_path, manner, expression, evaluate);
}

} // namespace automation::engine
