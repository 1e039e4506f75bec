// What is planned, as tick() works on it: rows of automation.pending, the row of the CRM behind
// each, and what has happened to it since.
#pragma once

#include "engine/chapter.hpp"
#include "engine/ledger.hpp"

#include <optional>
#include <string>
#include <vector>

namespace automation::engine {

// A row of automation.pending.
struct Task {
	std::string place; // its ctid, which stays while the row is locked
	std::int64_t id;
	pg::Instant due;
	int rule, version, subject, source;
	int step;
	std::string awaits;
	std::int64_t run;
	std::string key, source_key, seen;
};

// A copy of another database does nothing by itself before it is adopted; tests let time pass
// there, too.
bool has_to_wait();

// Locked, the earliest first; behind that time and, of those of that time, that number.
std::vector<Task> coming_due(int most, pg::Instant after, std::int64_t id = 0);
std::vector<Task> touched(int most); // not locked
// What this transaction has planned under numbers higher than this: what is due first, by then;
// what it has touched.
std::vector<Task> own_due(std::int64_t since, pg::Instant until);
std::vector<Task> own_touched(std::int64_t since);
bool lock(const Task &task); // false: another tick has it, or had it

void move(const Task &task, pg::Instant due);
void postpone(const Task &task);   // a second
void look_again(const Task &task); // in a second, whether it is over before its time
bool waits_on(const Task &task);   // to that time, when it was not; false: that has come
void wait_on(const Task &task);	   // for what it awaits
void park(const Task &task);	   // until its rule, or its row, is resumed
// Ends the task; a run that was to begin leaves no trace, as none has begun.
void finish(const Task &task, const StepRecord &record);
void cancel(const Task &task, const std::string &reason);
void remove(const Task &task);
void record_failure(const Task &task, const pg::Error &error); // of a run that could not begin

// What has happened since it was planned.
struct Circumstances {
	bool is_held;		// by automation.stop_item()
	std::string touch;	// that ends it, given the columns that cancel it; empty: none
	bool is_superseded; // a run of the rule for the row was planned anew
};
Circumstances circumstances(const Task &task, const std::vector<int> &columns);

pg::Instant began_at(const Task &task); // its run
pg::Instant entered_at(const Task &task, int status);
std::optional<pg::Instant> left_at(const Task &task, int status);
bool is_first(const Task &task, pg::Instant instant); // time that the rule fires for it
bool previous_failed(const Task &task);

struct Image {
	enum class State { there, gone, busy };
	State state;
	std::optional<pg::RowFinder::Row> row; // of the table whose change fired the rule
};

} // namespace automation::engine
