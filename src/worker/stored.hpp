// Deliveries as the outbox holds them. Everything here runs inside a transaction of the worker's.
#pragma once

#include "pg/clock.hpp"
#include "pg/reading.hpp"
#include "worker/settlement.hpp"

#include "core/message.hpp"

#include <cstdint>
#include <vector>

namespace automation::worker {

struct Stored {
	std::int64_t id;
	std::uint64_t transaction; // that wrote it
	pg::Instant at;
	Origin origin;
	pg::Oid sender; // role
	core::Kind kind;
	core::Message message; // its id unique among those of this database
	core::Entries policy;  // what the step says of its own delivery
	bool readable = true;  // all of it is text
	bool is_ordered;	   // it goes after those of its row that were made before
	bool is_watched;	   // changes of its row end it
	bool is_erased;
	bool is_test;
	bool encloses; // attachments or an invitation
};

// The columns of automation.delivery.
namespace delivery {
enum : int {
	id = 1,
	at,
	transaction,
	run,
	step,
	sender,
	server,
	channel,
	kind,
	recipient,
	priority,
	message,
	watched
};
}

Stored stored_at(const pg::Reading &row);

// Those that are left of these, in any order.
std::vector<Stored> stored(const std::vector<std::int64_t> &ids);

} // namespace automation::worker
