// A rule as the writer's backend holds it: what it waits for and what it does.
#pragma once

#include "pg/expression.hpp"
#include "pg/identity.hpp"
#include "pg/index_key.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace automation::engine {

enum class StepKind { message, statement, engine };

// Compiled on first use, and again when what it was compiled from has changed.
struct Part {
	pg::Oid function = 0; // 0: there is none
	std::unique_ptr<pg::Expression> compiled = {};
	std::vector<std::unique_ptr<pg::Expression>> outdated = {}; // may be under evaluation

	explicit operator bool() const { return function != 0; }
	bool is_compiled() const { return compiled && compiled->is_current(); }
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
	Part until = {}; // what ends it before its time
};

struct Step {
	int number = 0;
	StepKind kind = StepKind::engine;
	std::string action = {};
	Part does = {};
	Part only_if = {};
	pg::Oid server = 0; // 0 when it sends nothing
	std::string channel = {};
	std::string channel_kind = {};
	std::optional<Wait> wait = {};
};

enum class State { active, paused, disabled };

// What becomes of its matches in a transaction that sets off too much.
enum class OnBulk { run, hold, log_only, skip };

// Why a rule cannot be compiled; tried again in every transaction, and after every change.
struct Breakage {
	unsigned int transaction = 0;
	std::uint64_t changes = 0; // pg::changes_seen()
	std::string sqlstate = {};
	std::string message = {};
	int recorded = 0; // how often, in this transaction
};

struct Rule {
	int id = 0;
	int version = 0;
	pg::Oid owner = 0;
	std::string search_path = {};
	int subject = 0; // the entity whose row the rule is about
	bool on_insert = false, on_update = false, on_remove = false;
	bool fails_the_write = false; // on_error => 'fail'
	bool is_guard = false;		  // its step refuses the change
	bool is_standing = false;	  // waits for a date of the row, for as long as `still` holds
	bool is_active = false;		  // takes new runs
	bool finishes = false;		  // though disabled, goes on with the runs it has begun
	bool in_test = false;		  // its messages are not sent
	State state = State::disabled;
	OnBulk on_bulk = OnBulk::run;
	Part when = {};
	Part key = {};	 // of the subject's row
	Part still = {}; // when the run begins later: whether it begins then
	std::optional<Wait> wait = {};
	std::vector<Step> steps = {};
	Breakage breakage = {};
	int users = 0; // how many have it in hand

	// What its steps do is undone with them, so that a run that fails can be done over.
	bool can_be_done_over() const
	{
		return std::ranges::all_of(steps, [](const Step &step) {
			return step.kind == StepKind::message || step.action == "notify";
		});
	}
	template <typename Visit> void visit_parts(Visit &&visit)
	{
		const auto visit_wait = [&](std::optional<Wait> &waits) {
			if (waits) {
				visit(waits->due);
				visit(waits->unless);
				visit(waits->until);
			}
		};
		visit(when);
		visit(key);
		visit(still);
		visit_wait(wait);
		for (Step &step : steps) {
			visit(step.does);
			visit(step.only_if);
			visit_wait(step.wait);
		}
	}
	// The columns that must have changed, once it is compiled.
	const std::vector<int> &watched() const
	{
		static const auto *none = new std::vector<int>;
		return when.compiled ? when.compiled->watched() : *none;
	}
	// What it was compiled to was there when it was read.
	bool was_replaced() const { return when && !pg::function_exists(when.function); }
	// A paused one that waits goes on planning, or it would come to its time by what is no longer
	// so.
	bool hears_of_changes() const { return is_active || (wait && state == State::paused); }
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

// As the rule's owner; raises the error that keeps it from being evaluated.
std::unique_ptr<pg::Expression> compiled(
	const Rule &rule, const Part &part, const pg::RowType &type);

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
