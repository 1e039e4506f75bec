// Requests that have been claimed ahead: when a place becomes free, the next one is there, and the
// network does not stand still while a transaction records and claims.
#pragma once

#include "core/message.hpp"
#include "pg/spi.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

namespace automation::worker {

// An attempt that is committed counts as begun, so it must not wait: as many are claimed ahead as
// the channel has delivered in the last moment, and none from a channel that is slow or fails.
class Runway {
public:
	struct Departure {
		std::int64_t attempt;
		core::Kind kind;
		core::Request request;
		std::chrono::steady_clock::time_point since = {}; // it has waited

		bool is_late() const; // what was known when it was claimed may be so no more
	};

	int ahead(pg::Oid server) const; // how many may be claimed beyond the places that are free
	void line_up(pg::Oid server, Departure departure);
	std::optional<Departure> next(pg::Oid server);
	bool is_empty() const { return waiting_ == 0; }
	void delivered(pg::Oid server);

private:
	using Clock = std::chrono::steady_clock;
	struct Strip {
		std::deque<Departure> departures = {};
		Clock::time_point since = {}; // of the moment that is counted
		int count = 0;
		int last = 0; // in the moment before
	};
	std::unordered_map<pg::Oid, Strip> strips_;
	int waiting_ = 0;
};

} // namespace automation::worker
