// The rows that a run leaves: the log, the outbox, notifications. Only inserts, as the extension's
// owner, in the writer's transaction.
#pragma once

#include "pg/spi.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace automation::engine {

// What became of one step.
struct StepRecord {
	int number = 0;
	std::string action;
	std::string status; // the log's vocabulary: succeeded, failed, delivering, not_run, ...
	std::string reason = {};
	std::string sqlstate = {};
	std::string result = {}; // JSON text
	std::vector<std::int64_t> deliveries = {};

	std::string json() const;
};

struct RunRecord {
	std::int64_t id = 0;
	int rule = 0;
	int version = 0;
	int subject = 0;
	std::string key;
	std::string event;
	std::string changes; // JSON text
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
	pg::Datum message; // jsonb
};

std::int64_t next_run();
void write_run(const RunRecord &run);
std::int64_t write_delivery(const Delivery &delivery); // its id
void write_notification(std::int64_t run, const std::string &recipient, const std::string &body);
// Ends what the rule (0: every rule) still has waiting for a row (empty key: for every row).
void write_stop(
	int subject, const std::string &key, int rule, std::int64_t run, const std::string &reason);

} // namespace automation::engine
