// One transaction of the worker's: records what has come back, claims what may go out next.
#include "worker/worker.hpp"

#include "pg/figures.hpp"
#include "pg/process.hpp"
#include "pg/refusal.hpp"
#include "pg/settings.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace automation::worker {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds save_interval{1'000};
constexpr milliseconds pause_after_failure{1'000};
constexpr milliseconds least_due{10}; // somebody else may hold the row that is due

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

void Worker::turn(Mode mode)
{
	std::vector<Task> tasks;
	pg::report_running("recording and claiming deliveries");
	const auto error = pg::transaction([&] {
		if (pg::extension_oid() != extension_) {
			extension_gone_ = true;
			return;
		}
		pg::Spi spi;
		const std::string now_visible = visible_now(); // before this transaction gets an id
		record(settlements_);
		if (mode == Mode::sending && pg::settings::delivery != pg::settings::delivery_off)
			tasks = claim(now_visible);
		save(tasks);
	});
	pg::report_statistics();
	pg::report_idle();
	pg::count(pg::WorkerFigure::turns);
	looked_at_ = Clock::now();
	if (look_)
		next_step_ = looked_at_; // whoever called may have planned something, or touched it
	look_ = false;
	if (error) {
		after_failure(*error);
		return;
	}
	outbox_.confirm();
	traffic_.confirm();
	settlements_.clear();
	for (const Task &task : tasks)
		send(task);
}

std::vector<Worker::Task> Worker::claim(const std::string &now_visible)
{
	if (directory_.refresh())
		outbox_.find_lanes();
	if (directory_.egress_changed())
		transfers_.obey(directory_.egress());
	next_due_.reset();
	if (!outbox_.is_at_home())
		return {};

	std::vector<Task> tasks;
	std::set<pg::Oid> open;
	Occupancy occupancy = occupancy_; // as it will be
	const std::set<pg::Oid> paused = outbox_.paused();
	std::vector<Lane> &lanes = outbox_.lanes();
	if (!lanes.empty())
		std::rotate(lanes.begin(), lanes.begin() + 1, lanes.end()); // each is first once
	std::optional<milliseconds> limited;
	for (Lane &lane : lanes) {
		lane.backlog = lane.backlog || look_;
		if (paused.contains(lane.server))
			continue;
		const Course &course = directory_.course(lane.server);
		const Traffic::Room room = traffic_.room(lane.server, course, occupancy);
		if (room.places > 0) {
			open.insert(lane.server);
			if (lane.backlog)
				for (Claim &claimed : outbox_.claim(lane, room.places, now_visible, directory_)) {
					occupancy.enter(lane.server, course.host);
					const Contact &contact = directory_.find(claimed.server, claimed.sender);
					tasks.push_back({std::move(claimed), &contact, &course});
				}
		}
		lane.next.limited_by = lane.backlog && !room.limited_by.empty()
			? std::optional(room.limited_by)
			: std::nullopt;
		if (lane.backlog && room.wait)
			limited = std::min(limited.value_or(*room.wait), *room.wait);
	}
	auto due = outbox_.next_due(open);
	if (limited)
		due = std::min(due.value_or(*limited), *limited);
	next_due_ = due ? std::optional(Clock::now() + std::max(*due, least_due)) : std::nullopt;
	return tasks;
}

void Worker::save(const std::vector<Task> &tasks)
{
	if (!tasks.empty())
		last_attempt_ = std::max(last_attempt_, tasks.back().claim.attempt);
	traffic_.save();
	const bool writes_anyway = !tasks.empty() || !settlements_.empty();
	if ((!writes_anyway && !outbox_.has_news_of_limits()) ||
		Clock::now() - saved_at_ < save_interval)
		return;
	std::int64_t settled_below = last_attempt_ + 1;
	for (const Task &task : tasks)
		settled_below = std::min(settled_below, task.claim.attempt);
	if (!flights_.empty())
		settled_below = std::min(settled_below, flights_.begin()->first);
	outbox_.save(settled_below);
	saved_at_ = Clock::now();
}

void Worker::after_failure(const pg::Error &error)
{
	pg::count(pg::WorkerFigure::failures);
	outbox_.revert();
	look_ = true;
	not_before_ = Clock::now() + pause_after_failure;
	for (Settlement &settlement : settlements_)
		settlement.response.clear(); // should a stranger's text be the cause
	const auto second =
		pg::transaction([&] { extension_gone_ = pg::extension_oid() != extension_; });
	if (!extension_gone_ && error.sqlstate() != pg::lock_not_available)
		error.log_warning();
}

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
	occupancy_.enter(flight.server, flight.course.host);
	flights_.emplace(flight.attempt, std::move(flight));
	transfers_.start(
		task.claim.attempt, std::move(request), deadlines(), connection_for(task.claim.kind));
}

} // namespace automation::worker
