// One transaction of the worker's: records what has come back, claims what may go out next.
#include "worker/worker.hpp"

#include "pg/fault.hpp"
#include "pg/figures.hpp"
#include "pg/process.hpp"
#include "pg/reading.hpp"
#include "pg/settings.hpp"
#include "worker/queue.hpp"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

namespace automation::worker {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds save_interval{1'000};
constexpr milliseconds tidy_interval{60'000};
constexpr milliseconds pause_after_failure{1'000};
constexpr milliseconds pause_in_vain{5}; // writers of what cannot go out may call all the time
constexpr milliseconds locked_wait{100}; // for somebody who erases
constexpr milliseconds least_due{10};	 // somebody else may hold the row that is due

} // namespace

// It is gone with its tables.
bool Worker::has_extension()
{
	if (extension_basis_.stands() && !extension_gone_)
		return true;
	pg::Basis basis;
	basis.rest_on_table("worker");
	basis.renew();
	extension_gone_ = pg::extension_oid() != extension_;
	extension_basis_ = std::move(basis);
	return !extension_gone_;
}

void Worker::turn(Mode mode)
{
	pg::report_running("recording and claiming deliveries");
	take_turn(mode);
	pg::report_statistics();
	pg::report_idle();
}

void Worker::take_turn(Mode mode)
{
	std::vector<Task> tasks;
	std::size_t recorded = 0;
	const auto error = pg::transaction([&] {
		if (!has_extension())
			return;
		pg::Spi spi;
		next_due_.reset();
		const std::string now_visible = pg::visible_now(); // before this transaction gets an id
		recorded = put_locked_last(settlements_);
		record(std::span(settlements_).first(recorded));
		if (recorded > 0)
			pg::fault_point("outcomes are recorded");
		if (mode == Mode::sending && pg::settings::delivery != pg::settings::delivery_off)
			tasks = claim(now_visible);
		if (!tasks.empty())
			pg::fault_point("deliveries are claimed");
		save(tasks, std::span(settlements_).subspan(recorded));
	});
	pg::count(pg::WorkerFigure::turns);
	const auto now = Clock::now();
	in_vain_ = look_ && tasks.empty() ? in_vain_ + 1 : 0;
	if (in_vain_ > 1)
		not_before_ = now + pause_in_vain;
	if (std::exchange(steps_called_, false))
		next_step_ = now; // whoever called may have planned something, or touched it
	look_ = polls_ = false;
	if (error) {
		after_failure(*error);
		return;
	}
	if (recorded > 0)
		pg::fault_point("recorded outcomes are committed");
	if (!tasks.empty())
		pg::fault_point("claimed deliveries are committed");
	outbox_.confirm();
	traffic_.confirm();
	settlements_.erase(
		settlements_.begin(), settlements_.begin() + static_cast<std::ptrdiff_t>(recorded));
	locked_ = settlements_.size();
	settled_first_at_ =
		Clock::now() + locked_wait; // of those that are locked, if nothing comes before
	for (const Task &task : tasks)
		send(task);
	set_out();
}

std::vector<Worker::Task> Worker::claim(const std::string &now_visible)
{
	follow_channels();
	if (!outbox_.circumstances().is_at_home)
		return {};
	if (polls_)
		find_lanes();
	std::vector<Task> tasks = claim_from_lanes(now_visible);
	if (look_ && !polls_ && tasks.empty() && in_vain_ <= 1 && find_lanes())
		tasks = claim_from_lanes(now_visible);
	return tasks;
}

std::vector<Worker::Task> Worker::claim_from_lanes(const std::string &now_visible)
{
	std::vector<Task> tasks;
	std::vector<Lane *> open;
	core::Occupancy occupancy = occupancy_; // as it will be
	const std::set<pg::Oid> &paused = outbox_.circumstances().paused;
	std::optional<milliseconds> limited;
	backlog_ = false;
	for (Lane *lane : outbox_.lanes()) {
		if (look_) {
			lane->backlog = true;
			lane->due.search_all();
		}
		if (paused.contains(lane->server))
			continue;
		Traffic::Room room = room_in(*lane, occupancy);
		if (room.places > 0) {
			open.push_back(lane);
			if (lane->backlog &&
				claim(*lane, room.places, now_visible, occupancy, tasks) < room.places)
				room.wait = milliseconds(0); // if there is more, it may come at once
		}
		lane->next.limited_by = lane->backlog && !room.limited_by.empty()
			? std::optional(room.limited_by)
			: std::nullopt;
		backlog_ = backlog_ || lane->backlog;
		if (lane->backlog && room.wait)
			limited = std::min(limited.value_or(*room.wait), *room.wait);
	}
	auto due = Outbox::next_due(open);
	if (limited)
		due = std::min(due.value_or(*limited), *limited);
	next_due_ = due ? std::optional(Clock::now() + std::max(*due, least_due)) : std::nullopt;
	return tasks;
}

void Worker::follow_channels()
{
	if (directory_.refresh())
		outbox_.find_channels();
	if (directory_.egress_changed())
		transfers_.obey(directory_.egress());
	transfers_.keep_connections(static_cast<std::size_t>(pg::settings::max_in_flight));
}

// Messages of a priority that a channel has not seen before are found soon, and at once when they
// are alone, unless others call in vain all the time; of the usual one, always at once.
bool Worker::find_lanes()
{
	const bool found = outbox_.find_lanes();
	if (const auto now = Clock::now(); now - tidied_at_ >= tidy_interval) {
		tidy_queue();
		tidied_at_ = now;
	}
	return found;
}

Traffic::Room Worker::room_in(const Lane &lane, const core::Occupancy &occupancy)
{
	const int claimed = occupancy.of(lane.server) - occupancy_.of(lane.server);
	return traffic_.room(
		lane.server, lane.priority, directory_.course(lane.server), occupancy, claimed);
}

// How many of so many; and some to follow them.
int Worker::claim(Lane &lane, int places, const std::string &now_visible,
	core::Occupancy &occupancy, std::vector<Task> &tasks)
{
	const Course &course = directory_.course(lane.server);
	int claimed = 0;
	for (Claim &claim :
		outbox_.claim(lane, places, ahead(lane, course, tasks), now_visible, directory_)) {
		const bool has_place = claimed++ < places;
		if (has_place)
			occupancy.enter(lane.server, course.host, lane.priority);
		const Contact &contact = directory_.find(claim.server, claim.sender);
		tasks.push_back({std::move(claim), &contact, &course,
			has_place ? Network::Place::its_own : Network::Place::next});
	}
	return claimed;
}

// All lanes together claim no more ahead than one may.
int Worker::ahead(const Lane &lane, const Course &course, const std::vector<Task> &tasks) const
{
	if (!course.may_wait || course.limits.rate || course.limits.max_in_flight)
		return 0;
	const auto waits = [](const Task &task) { return task.place == Network::Place::next; };
	const auto waiting = waiting_ + static_cast<int>(std::ranges::count_if(tasks, waits));
	return std::max(pace_.ahead(lane.server) - waiting, 0);
}

void Worker::save(const std::vector<Task> &tasks, std::span<const Settlement> locked)
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
	for (const Settlement &settlement : locked)
		settled_below = std::min(settled_below, settlement.attempt);
	outbox_.save(settled_below);
	pg::fault_point("positions are saved");
	saved_at_ = Clock::now();
}

void Worker::after_failure(const pg::Error &error)
{
	pg::count(pg::WorkerFigure::failures);
	outbox_.revert();
	look_ = polls_ = steps_called_ = true;
	not_before_ = Clock::now() + pause_after_failure;
	const auto second =
		pg::transaction([&] { extension_gone_ = pg::extension_oid() != extension_; });
	const bool gave_way =
		error.sqlstate() == pg::lock_not_available || error.sqlstate() == pg::deadlock_detected;
	if (!gave_way)
		for (Settlement &settlement : settlements_)
			settlement.response.clear(); // should a stranger's text be the cause
	if (!extension_gone_ && !gave_way)
		error.log_warning();
}

} // namespace automation::worker
