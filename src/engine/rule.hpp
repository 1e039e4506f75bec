// A rule as the writer's backend holds it: what it waits for and what it does.
#pragma once

#include "pg/expression.hpp"

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

} // namespace automation::engine
