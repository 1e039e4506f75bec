// Between transactions: what has been claimed takes off, what comes back is to be recorded.
#include "worker/worker.hpp"

#include "core/outcome.hpp"
#include "pg/fault.hpp"
#include "pg/figures.hpp"
#include "pg/refusal.hpp"
#include "pg/settings.hpp"

#include <utility>

namespace automation::worker {

using std::chrono::milliseconds;

namespace {

pg::ChannelFigure figure_of(core::Outcome outcome)
{
	switch (outcome) {
	case core::Outcome::delivered:
		return pg::ChannelFigure::delivered;
	case core::Outcome::retry:
		return pg::ChannelFigure::retry;
	case core::Outcome::dead:
		return pg::ChannelFigure::dead;
	case core::Outcome::expired:
		return pg::ChannelFigure::expired;
	case core::Outcome::unknown:
		break;
	}
	return pg::ChannelFigure::unknown;
}

Deadlines deadlines()
{
	return {.connect = milliseconds(pg::settings::connect_timeout),
		.request = milliseconds(pg::settings::request_timeout)};
}

// What must not come twice libcurl must not repeat by itself either.
Connection connection_for(const core::RetryPolicy &policy)
{
	return policy.unknown == core::RetryPolicy::Unknown::hold ? Connection::its_own
															  : Connection::reusable;
}

} // namespace

// From here on libcurl has it, or it has its verdict already.
void Worker::send(const Task &task)
{
	traffic_.sent(task.claim.server);
	Flight flight = begin_flight(task.claim, *task.contact, *task.course);
	core::Request request;
	const auto refused = pg::refusal([&] { request = request_for(task.claim, *task.contact); });
	if (refused) {
		settle(flight, verdict_on(*refused, *task.contact), {});
		return;
	}
	pg::fault_point("a request is made");
	transfers_.start(flight.attempt, flight.server, std::move(request), deadlines(),
		connection_for(task.claim.policy), task.place);
	take_place(flight);
	flights_.emplace(flight.attempt, std::move(flight));
}

void Worker::set_out()
{
	for (const std::int64_t attempt : transfers_.set_out()) {
		leave_place(flights_.at(attempt));
		++waiting_;
	}
}

void Worker::take_place(const Flight &flight)
{
	occupancy_.enter(flight.server, flight.course.host, flight.priority);
}

void Worker::leave_place(const Flight &flight)
{
	occupancy_.leave(flight.server, flight.course.host, flight.priority);
}

// Nothing has been sent: it is claimed again, as somebody may have cancelled it, or paused its
// channel.
void Worker::turn_back(const Flight &flight)
{
	if (settlements_.size() == locked_)
		settled_first_at_ = Clock::now();
	settlements_.push_back({.attempt = flight.attempt,
		.delivery = flight.delivery,
		.origin = flight.origin,
		.server = flight.server,
		.priority = flight.priority,
		.ordered = flight.ordered,
		.outcome = core::Outcome::retry,
		.status = 0,
		.reason = "not begun: those before it took too long",
		.response = {},
		.elapsed = std::chrono::duration_cast<milliseconds>(Clock::now() - flight.started),
		.retry_in = milliseconds(0),
		.has_begun = false});
}

void Worker::collect(const std::vector<Finished> &finished)
{
	for (const auto &[attempt, reply, has_begun, next] : finished) {
		pg::fault_point("an answer is there");
		const auto found = flights_.find(attempt);
		const Flight &flight = found->second;
		if (has_begun) {
			leave_place(flight);
			settle(flight, core::judge(reply, flight.provider), reply);
		} else {
			--waiting_;
			turn_back(flight);
		}
		if (next) {
			--waiting_;
			take_place(flights_.at(*next));
		}
		flights_.erase(found);
	}
}

void Worker::settle(const Flight &flight, const core::Verdict &verdict, const core::Reply &reply)
{
	if (settlements_.size() == locked_)
		settled_first_at_ = Clock::now();
	settlements_.push_back(land(flight, verdict, reply));
	if (verdict.outcome == core::Outcome::delivered)
		pace_.delivered(flight.server);
	const Settlement &settlement = settlements_.back();
	pg::count(settlement.server, figure_of(settlement.outcome));
	pg::count(settlement.server, pg::ChannelFigure::milliseconds,
		static_cast<std::uint64_t>(settlement.elapsed.count()));
	const bool answered =
		verdict.outcome == core::Outcome::delivered || verdict.outcome == core::Outcome::dead;
	traffic_.ended(flight.server, flight.course, answered, settlement.reason);
	pg::fault_point("an outcome is known");
}

} // namespace automation::worker
