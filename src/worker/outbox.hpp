// The worker's side of the outbox: claims deliveries, and remembers how far it has come.
// Everything here runs inside a transaction of the worker's.
#pragma once

#include "worker/circumstances.hpp"
#include "worker/claim.hpp"
#include "worker/directory.hpp"
#include "worker/lane.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace automation::worker {

// What an earlier worker left in flight when it ended.
struct Leftovers {
	std::int64_t retried;
	std::int64_t held;
	std::vector<Settlement> locked; // somebody erases their attempts: to be recorded later
};

class Outbox {
public:
	Leftovers open(Directory &directory); // a new epoch

	// The most urgent first; of those that are equally urgent, each is first at times.
	std::vector<Lane *> lanes();
	void find_channels(); // that are new
	bool find_lanes();	  // that have deliveries; the usual one of a channel is known by it
	// Good until the next transaction.
	const Circumstances &circumstances();

	// Deliveries of the lane for so many places, and to follow them: those that are due again, then
	// new ones.
	std::vector<Claim> claim(
		Lane &lane, int places, int ahead, const std::string &now_visible, Directory &directory);
	bool has_news_of_limits() const; // that are worth saving
	// All attempts below have an outcome.
	void save(std::int64_t settled_below);

	// After the transaction.
	void confirm();
	void revert();

	// Until a waiting delivery of a lane that has room is due.
	static std::optional<std::chrono::milliseconds> next_due(const std::vector<Lane *> &lanes);

private:
	void read_lanes();
	void add_lane(pg::Oid server, core::Priority priority);
	std::int64_t epoch_ = 0;
	bool away_ = false;
	CircumstancesKept circumstances_;
	std::vector<Lane> lanes_;
};

} // namespace automation::worker
