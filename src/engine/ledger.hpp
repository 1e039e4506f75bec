// The rows that a run leaves: the log, the outbox, notifications. Only inserts, as the extension's
// owner, in the writer's transaction.
#pragma once

#include "core/priority.hpp"
#include "pg/clock.hpp"
#include "pg/json_builder.hpp"
#include "pg/row.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace automation::engine {

constexpr int longest_logged_value = 200; // characters of a column's old and new value

// What became of one step.
struct StepRecord {
	int number = 0;
	std::string action;
	std::string status; // the log's vocabulary: succeeded, failed, delivering, not_run, ...
	std::string reason = {};
	std::string sqlstate = {};
	std::string result = {}; // JSON text
	std::vector<std::int64_t> deliveries = {};
	std::string due = {}; // ISO 8601, when it waits

	void tell(pg::JsonBuilder &list) const; // as an object
};

struct RunRecord {
	std::int64_t id = 0;
	int rule = 0;
	int version = 0;
	int subject = 0;
	std::string key;
	std::string source_key = {}; // of the row whose change fired the rule, when it is another
	std::string event;
	pg::Value changes = pg::Value::null(pg::Value::Type::jsonb);
	std::string status;
	std::string reason = {};
	std::string sqlstate = {};
	std::vector<StepRecord> steps = {};
	int depth = 0;
	std::int64_t cause = 0;
};

struct Delivery {
	std::int64_t run;
	int step;
	pg::Oid owner;
	pg::Oid server;
	std::string channel;
	std::string kind;
	std::string recipient;
	core::Priority priority;
	pg::Datum message;			   // jsonb
	std::vector<int> watched = {}; // columns of the row whose change cancels it
};

// {3,5}; empty for none.
std::string array_text(const std::vector<int> &numbers);

const char *event_name(pg::Event event); // in the log's vocabulary
std::int64_t next_run();
void write_run(const RunRecord &run);
std::int64_t write_delivery(const Delivery &delivery); // its id
// It leaves after those for the row that went through here before.
void write_place(std::int64_t id, const Delivery &delivery, const RunRecord &run);
void write_notification(
	std::int64_t run, int step, const std::string &recipient, const std::string &body);
// A document of the item, for others to read and for e-mails to carry.
struct Document {
	pg::Oid owner;
	int step;
	std::string name;
	std::string type;
	std::string text;
};
std::int64_t write_document(const RunRecord &run, const Document &document); // its id
// What became of a step that waited.
void write_step(std::int64_t run, const StepRecord &step);
void write_step(std::int64_t run, int step, const pg::Value &record); // jsonb

// A step that is to be taken later; step 0: the run is to begin later.
struct Plan {
	int rule = 0;
	int version = 0;
	int subject = 0;
	int step = 0;
	std::int64_t run = 0; // 0: there is none yet
	std::string key;
	std::string source_key = {}; // of the row whose change fired the rule, when it is another
	std::string seen = {};		 // values that must not differ then
	std::string awaits = {};	 // what its time depends on, when that is not known
	pg::Instant due = pg::never;
};
void write_plan(const Plan &plan);

// What may end plans for a row (empty key: for every row of the table).
struct Touch {
	int subject;
	std::string key;
	std::vector<int> columns; // that changed; none: it ends every plan
	int rule;				  // 0: of every rule
	std::int64_t cause;		  // run that did it; 0: none
	std::string reason;
};
void write_touch(const Touch &touch);

// A match that is to become a run when somebody says so.
struct Held {
	std::int64_t batch;
	int rule;
	int source; // the entity whose row changed
	std::string event;
	std::string key;
	std::optional<std::string> old; // JSON text
};
void write_held(const Held &match);

// A row of the event journal.
struct Happening {
	int entity;
	std::string key;
	const char *event;
	std::optional<std::string> old_row, new_row; // JSON text
	std::int64_t cause;							 // run that did it; 0: none
};
void write_event(const Happening &happening);

} // namespace automation::engine
