// How much may go through each channel now: its rate, its places and those of its host, its
// breaker. Over the limit is later, with the reason.
#pragma once

#include "core/breaker.hpp"
#include "core/occupancy.hpp"
#include "core/rate.hpp"
#include "worker/directory.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace automation::worker {

class Traffic {
public:
	struct Room {
		int places;
		std::string limited_by = {};
		std::optional<std::chrono::milliseconds> wait = {}; // until there is more, where time tells
	};
	// occupancy: as it will be, with so many claimed that are not sent yet.
	Room room(pg::Oid server, core::Priority priority, const Course &course,
		const core::Occupancy &occupancy, int claimed);

	void sent(pg::Oid server); // an attempt was claimed
	// What the channel did with an attempt; answered: it did its part, whatever it said.
	void ended(pg::Oid server, const Course &course, bool answered, const std::string &reason);

	// In a transaction. Breakers that are not closed outlive the worker.
	void load();
	void save();
	void confirm() { changed_.clear(); } // after it

private:
	struct Tripped {
		core::Breaker breaker = {};
		std::string reason = {};
	};
	core::Bucket &bucket(pg::Oid server, core::Rate rate);

	std::map<pg::Oid, core::Bucket> buckets_;
	std::map<pg::Oid, Tripped> breakers_;
	std::set<pg::Oid> changed_;
};

} // namespace automation::worker
