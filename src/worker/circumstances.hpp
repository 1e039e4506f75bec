// What decides about all deliveries and changes seldom: read again when one of its tables has
// changed.
#pragma once

#include "pg/definitions.hpp"
#include "pg/spi.hpp"

#include <cstdint>
#include <set>
#include <string>

namespace automation::worker {

struct Circumstances {
	bool is_at_home = false; // or the database is a copy that nobody has adopted
	std::string identity = {};
	std::int64_t discarded_below = 0;
	bool has_caps = false; // of so many messages to one address
	std::set<pg::Oid> paused = {};
};

// In a transaction.
class CircumstancesKept {
public:
	const Circumstances &current();

private:
	Circumstances known_;
	pg::Basis basis_;
	bool is_known_ = false;
};

} // namespace automation::worker
