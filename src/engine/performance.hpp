// What is done with one thing that was planned.
#pragma once

#include "engine/agenda.hpp"

namespace automation::engine {

struct Performance {
	const Task &task;
	Chapter &chapter; // of the table whose change fired the rule
	Chapter &subject; // of the table that the rule is about
	Rule &rule;

	// A touch may have ended it, or moved it.
	void settle();
	// Its time has come. False: the row is locked.
	bool perform();

private:
	Step &step() { return rule.steps.at(static_cast<std::size_t>(task.step) - 1); }
	Wait &wait() { return task.step == 0 ? *rule.wait : *step().wait; }
	Circumstances now();
	bool ended(const Circumstances &circumstances);
	pg::RowChange row_of(const Image &image);
	bool depends_on_the_row();
	bool reckoned(const pg::RowChange &row);
	bool differs(const pg::RowChange &row);
	void follow(const pg::RowChange &row, const Circumstances &circumstances);
	void follow_the_date(const pg::RowChange &row);
	void follow_the_leaving(const pg::RowChange &row);
	void take(const pg::RowChange &row);
	void begin(const pg::RowChange &row);
	void go_on(const pg::RowChange &row);
};

} // namespace automation::engine
