// An attempt under way: what is needed to judge it when its answer comes.
#pragma once

#include "core/message.hpp"
#include "core/retry.hpp"
#include "worker/claim.hpp"
#include "worker/directory.hpp"
#include "worker/settlement.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace automation::worker {

struct Flight {
	std::int64_t attempt;
	std::int64_t delivery;
	Origin origin;
	int number;
	pg::Oid server;
	core::Priority priority;
	bool ordered;
	std::string provider;
	Course course;
	core::RetryPolicy policy;
	std::optional<std::chrono::milliseconds> expires_in; // when it started
	std::string username;
	std::vector<std::string> secrets;
	std::chrono::steady_clock::time_point started;
};

Flight begin_flight(const Claim &claim, const Contact &contact, const Course &course);

// Throws Failure when there is nothing that could be sent.
core::Request request_for(const Claim &claim, const Contact &contact);

// What a message that could not be sent has earned.
core::Verdict verdict_on(const core::Failure &failure, const Contact &contact);

Settlement land(const Flight &flight, const core::Verdict &verdict, const core::Reply &reply);

} // namespace automation::worker
