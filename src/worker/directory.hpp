// The channels as last read, credentials included; read again when they have changed.
#pragma once

#include "core/egress.hpp"
#include "core/failure.hpp"
#include "core/limits.hpp"
#include "core/message.hpp"
#include "core/retry.hpp"
#include "pg/spi.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace automation::worker {

// A channel as a sender may use it, or why he may not.
struct Contact {
	std::optional<core::Failure> problem = {};
	core::Channel channel = {};
	core::RetryPolicy policy = {};
	std::vector<std::string> secrets = {}; // to be kept out of what is recorded
	std::chrono::steady_clock::time_point read_at = {};
};

// How much may go through a channel, and to which host it leads.
struct Course {
	std::string host = {};
	core::Limits limits = {};
	bool may_wait = false; // its messages may be claimed before there is a place for them
};

class Directory {
public:
	// All in a transaction.

	// Whether channels, or the policy, have changed since the last call. What find() has returned
	// before is gone then.
	bool refresh();
	const core::Egress &egress() const { return egress_; }
	bool egress_changed() const { return egress_changed_; } // by the last refresh()

	const Contact &find(pg::Oid server, pg::Oid sender);
	const Course &course(pg::Oid server);
	// The channel's, as far as the step does not say otherwise.
	core::RetryPolicy policy(pg::Oid server, pg::Oid sender, const core::Entries &step);

private:
	Contact read(pg::Oid server, pg::Oid sender) const;

	std::uint64_t generation_ = 0;
	std::optional<core::Entries> egress_options_;
	core::Egress egress_;
	bool egress_changed_ = false;
	std::map<std::pair<pg::Oid, pg::Oid>, Contact> contacts_;
	std::map<pg::Oid, Course> courses_;
};

} // namespace automation::worker
