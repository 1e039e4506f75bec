// What became of attempts, recorded in groups.
#pragma once

#include "pg/spi.hpp"

#include "core/message.hpp"
#include "core/priority.hpp"
#include "worker/array.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace automation::worker {

// The step that made a message.
struct Origin {
	std::int64_t run; // 0: none
	int step;
};

struct Settlement {
	std::int64_t attempt;
	std::int64_t delivery;
	Origin origin;
	pg::Oid server;
	core::Priority priority;
	bool ordered;
	core::Outcome outcome;
	int status;
	std::string reason;
	std::string response;
	std::chrono::milliseconds elapsed;				   // since the attempt
	std::optional<std::chrono::milliseconds> retry_in; // another attempt follows
	bool has_begun = true;
	bool pause_channel = false;
	bool opted_out = false; // by the word of the provider
	std::string provider_id = {};
};

// Messages of these have come to their end: steps that waited for them may begin.
void follow(const std::vector<Origin> &origins);

// Puts those last whose attempts somebody is erasing, and answers how many others there are.
std::size_t put_locked_last(std::vector<Settlement> &settlements);

void record(std::span<const Settlement> settlements); // in a transaction

} // namespace automation::worker
