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

// An SMS that has come twice cannot be told from two: libcurl must not repeat it by itself.
Connection connection_for(core::Kind kind)
{
	return kind == core::Kind::sms ? Connection::its_own : Connection::reusable;
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
	const auto &known = flights_.emplace(flight.attempt, std::move(flight)).first->second;
	Runway::Departure departure{known.attempt, task.claim.kind, std::move(request)};
	// Whoever was to make room for it may have been refused: then there is room.
	if (task.waits && occupancy_.of(known.server) > 0)
		runway_.line_up(known.server, std::move(departure));
	else
		take_off(known, std::move(departure));
}

void Worker::take_off(const Flight &flight, Runway::Departure departure)
{
	occupancy_.enter(flight.server, flight.course.host, flight.priority);
	transfers_.start(departure.attempt, std::move(departure.request), deadlines(),
		connection_for(departure.kind));
}

// In the place that another one has left.
void Worker::take_off_next(pg::Oid server)
{
	while (auto departure = runway_.next(server)) {
		const auto flight = flights_.find(departure->attempt);
		if (!departure->is_late())
			return take_off(flight->second, std::move(*departure));
		turn_back(flight->second);
		flights_.erase(flight);
	}
}

// Nothing has been sent: it is claimed again, as somebody may have cancelled it, or paused its
// channel.
void Worker::turn_back(const Flight &flight)
{
	if (settlements_.empty())
		settled_first_at_ = Clock::now();
	settlements_.push_back({.attempt = flight.attempt,
		.delivery = flight.delivery,
		.server = flight.server,
		.priority = flight.priority,
		.ordered = flight.ordered,
		.outcome = core::Outcome::retry,
		.status = 0,
		.reason = "not begun: those before it took too long",
		.response = {},
		.elapsed = std::chrono::duration_cast<milliseconds>(Clock::now() - flight.started),
		.retry_in = milliseconds(0)});
}

void Worker::collect()
{
	for (const auto &[attempt, reply] : transfers_.take_finished()) {
		pg::fault_point("an answer is there");
		const auto flight = flights_.find(attempt);
		const pg::Oid server = flight->second.server;
		occupancy_.leave(server, flight->second.course.host, flight->second.priority);
		settle(flight->second, core::judge(reply, flight->second.provider), reply);
		flights_.erase(flight);
		take_off_next(server);
	}
}

void Worker::settle(const Flight &flight, const core::Verdict &verdict, const core::Reply &reply)
{
	if (settlements_.empty())
		settled_first_at_ = Clock::now();
	settlements_.push_back(land(flight, verdict, reply));
	if (verdict.outcome == core::Outcome::delivered)
		runway_.delivered(flight.server);
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
