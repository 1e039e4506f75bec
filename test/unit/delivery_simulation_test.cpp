// The life of deliveries, over a million histories: an outbox with lanes, order and a cap, a worker
// that may end between any two of its moves, a network that loses what it likes, people who change,
// cancel and retry. Clock, dice, network and store are the test's; every decision is the core's. A
// history is its seed:
//
//   HISTORIES=20000000 delivery_simulation_test      SEED=4711 delivery_simulation_test
#include "core/delivery.hpp"
#include "core/outcome.hpp"
#include "core/priority.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <span>
#include <sstream>
#include <utility>
#include <vector>

using namespace automation::core;
using std::chrono::milliseconds;

namespace {

class Dice {
public:
	explicit Dice(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x2545f4914f6cdd1d) {}
	std::uint64_t any()
	{
		state_ ^= state_ << 13;
		state_ ^= state_ >> 7;
		state_ ^= state_ << 17;
		return state_;
	}
	int below(int limit) { return static_cast<int>(any() % static_cast<std::uint64_t>(limit)); }
	bool once_in(int times) { return below(times) == 0; }

private:
	std::uint64_t state_;
};

struct Attempt {
	std::optional<std::string> outcome = {};
	bool begun = false;
	bool sent = false;
	bool arrived = false;
};

// What is committed of a delivery, and what the world has seen of it.
struct Delivery {
	RetryPolicy policy = {};
	milliseconds written{0};
	bool changed = false;
	bool suppressed = false;
	std::vector<Attempt> attempts = {};
	std::optional<milliseconds> due = {};
	int retried_by_people = 0;

	int row = 0;
	Priority priority = Priority::transactional;
	bool ordered = false;
	bool queued = false; // ordered, and not ended yet
	bool parked = false; // until the one before it ends
	bool ended = false;	 // if only once
	bool passed = false; // by the lane: where the worker believes to be
	int address = 0;
	bool capped = false;
};

bool has_begun(const Delivery &delivery)
{
	return std::ranges::any_of(
		delivery.attempts, [](const Attempt &attempt) { return attempt.begun; });
}

// A request under way; the worker's memory, gone when it ends.
struct Flight {
	std::size_t delivery;
	std::size_t attempt;
	Reply reply;
};

class History {
public:
	explicit History(std::uint64_t seed) : dice_(seed) { cap_defers_ = dice_.once_in(2); }

	// What is wrong, or nothing.
	std::string run()
	{
		const int moves = 10 + dice_.below(40);
		for (int move = 0; move < moves && wrong_.empty(); ++move)
			any_move();
		come_to_rest();
		if (wrong_.empty())
			judge_the_end();
		return wrong_;
	}

private:
	void any_move()
	{
		clock_ += milliseconds(dice_.below(20'000));
		switch (dice_.below(10)) {
		case 0:
			for (int more = dice_.below(3); more >= 0; --more)
				write();
			return;
		case 1:
			return change();
		case 2:
			held_ = !held_;
			return;
		case 3:
			return somebody_retries();
		case 4:
			return worker_ends();
		default:
			return turn();
		}
	}

	// Where the worker may end.
	bool ends_here()
	{
		if (healthy_ || !dice_.once_in(12))
			return false;
		worker_ends();
		return true;
	}

	void write()
	{
		Delivery delivery;
		delivery.written = clock_;
		delivery.policy.max_attempts = 1 + dice_.below(4);
		if (dice_.once_in(3))
			delivery.policy.unknown = RetryPolicy::Unknown::hold;
		if (dice_.once_in(4))
			delivery.policy.expires_after = milliseconds(dice_.below(60'000));
		if (dice_.once_in(4))
			delivery.policy.schedule = {milliseconds(0), milliseconds(dice_.below(9'000))};
		delivery.row = dice_.below(2);
		delivery.address = dice_.below(3); // nobody limits the first
		delivery.priority = static_cast<Priority>(dice_.below(priorities));
		delivery.ordered = delivery.queued = dice_.once_in(2);
		if (!dice_.once_in(10)) // else rolled back
			outbox_.push_back(delivery);
	}

	void change()
	{
		if (outbox_.empty())
			return;
		Delivery &delivery = outbox_[any_delivery()];
		(dice_.once_in(2) ? delivery.changed : delivery.suppressed) = true;
	}

	void somebody_retries()
	{
		if (outbox_.empty())
			return;
		Delivery &delivery = outbox_[any_delivery()];
		if (!may_send_again(state(delivery)))
			return;
		delivery.due = clock_;
		delivery.parked = false;
		++delivery.retried_by_people;
	}

	std::size_t any_delivery()
	{
		return static_cast<std::size_t>(dice_.below(static_cast<int>(outbox_.size())));
	}

	State state(const Delivery &delivery) const
	{
		Record record{.attempted = !delivery.attempts.empty(),
			.planned = delivery.due.has_value() || delivery.parked};
		if (record.attempted && delivery.attempts.back().outcome)
			record.outcome = *delivery.attempts.back().outcome;
		record.channel_held = held_;
		return state_of(record);
	}

	std::optional<milliseconds> expires_in(const Delivery &delivery) const
	{
		if (!delivery.policy.expires_after)
			return std::nullopt;
		return delivery.written + *delivery.policy.expires_after - clock_;
	}

	// The worker ended: the next one settles what it finds in flight, and begins each lane where
	// its predecessor has last said that it was.
	void worker_ends()
	{
		flights_.clear();
		for (std::size_t at = outbox_.empty() ? 0 : any_delivery(); at < outbox_.size(); ++at)
			outbox_[at].passed = false;
		for (Delivery &delivery : outbox_)
			if (state(delivery) == State::in_flight)
				settle(delivery, delivery.attempts.size() - 1,
					lost(number_of(delivery), delivery.policy, expires_in(delivery)));
	}

	static int number_of(const Delivery &delivery)
	{
		return static_cast<int>(delivery.attempts.size());
	}

	void settle(Delivery &delivery, std::size_t attempt, const Decision &decision)
	{
		Attempt &settled = delivery.attempts[attempt];
		if (settled.outcome)
			fail("an attempt has two outcomes");
		settled.outcome = name_of(decision.outcome);
		if (decision.retry_in)
			delivery.due = clock_ + *decision.retry_in;
		else
			end(delivery);
	}

	static bool same_queue(const Delivery &one, const Delivery &other)
	{
		return one.queued && other.queued && one.row == other.row && one.priority == other.priority;
	}

	std::optional<std::int64_t> behind(const Delivery &delivery) const
	{
		for (const Delivery &other : outbox_) {
			if (&other == &delivery)
				break;
			if (same_queue(other, delivery))
				return &other - outbox_.data();
		}
		return std::nullopt;
	}

	// The next one of its queue may begin.
	void end(Delivery &delivery)
	{
		const auto next = std::find_if(outbox_.begin() + (&delivery - outbox_.data()) + 1,
			outbox_.end(), [&](const Delivery &other) { return same_queue(delivery, other); });
		if (next != outbox_.end() && std::exchange(next->parked, false))
			next->due = clock_;
		delivery.queued = false;
		delivery.ended = true;
	}

	// Answers are recorded and deliveries claimed in one commit, then what was claimed is sent.
	void turn()
	{
		if (ends_here())
			return; // before the commit: as if nothing had come back
		for (const Flight &flight : flights_) {
			Delivery &delivery = outbox_[flight.delivery];
			settle(delivery, flight.attempt,
				decide(judge(flight.reply, "http"), static_cast<int>(flight.attempt) + 1,
					delivery.policy, dice_.any(), expires_in(delivery)));
		}
		flights_.clear();
		const std::vector<std::size_t> claimed = claim_some();
		for (const std::size_t at : claimed) {
			if (ends_here())
				return;
			send(at);
		}
		ends_here();
	}

	// There are not always places for all: the most urgent go first.
	std::vector<std::size_t> claim_some()
	{
		std::size_t room = healthy_ ? outbox_.size() : static_cast<std::size_t>(dice_.below(5));
		std::vector<std::size_t> claimed;
		for (std::size_t lane = 0; lane < priorities && !held_; ++lane)
			for (const std::size_t at : take(static_cast<Priority>(lane), room))
				if (claim(outbox_[at])) {
					claimed.push_back(at);
					--room;
				}
		return claimed;
	}

	// What is due, and then what the lane has not come to. The first lane of a worker finds again
	// what has been claimed, or waits.
	std::vector<std::size_t> take(Priority lane, std::size_t room)
	{
		std::vector<std::size_t> taken;
		const auto take_if = [&](auto &&is_found) {
			for (std::size_t at = 0; at < outbox_.size() && taken.size() < room; ++at)
				if (outbox_[at].priority == lane && is_found(outbox_[at]) &&
					std::ranges::find(taken, at) == taken.end())
					taken.push_back(at);
		};
		take_if([&](Delivery &delivery) {
			const bool is_due = delivery.due && *delivery.due <= clock_;
			if (is_due)
				delivery.due.reset();
			return is_due;
		});
		take_if([&](Delivery &delivery) {
			const bool waits = delivery.due || delivery.parked;
			return !std::exchange(delivery.passed, true) && delivery.attempts.empty() && !waits;
		});
		return taken;
	}

	// So many to one address in such a time.
	std::optional<Cap> cap_on(const Delivery &delivery)
	{
		std::vector<milliseconds> &times = counted_[delivery.address];
		const bool is_free = delivery.address == 0 || delivery.priority == Priority::emergency ||
			has_begun(delivery);
		if (is_free)
			return std::nullopt;
		if (times.size() >= cap_most && times[times.size() - cap_most] + cap_per > clock_)
			return Cap{.reason = "cap",
				.wait = cap_defers_
					? std::optional(times[times.size() - cap_most] + cap_per - clock_)
					: std::nullopt};
		times.push_back(clock_);
		return std::nullopt;
	}

	bool claim(Delivery &delivery)
	{
		const State before = state(delivery);
		if (before != State::ready && !may_send_again(before))
			fail("found what is over, or under way");
		Candidate candidate{.behind = behind(delivery), .expires_in = expires_in(delivery)};
		if (delivery.changed)
			candidate.ended_by = "changed";
		if (delivery.suppressed)
			candidate.suppressed_by = "STOP";
		Admission admission = admit(candidate);
		if (admission.state == State::in_flight)
			if ((candidate.cap = cap_on(delivery))) {
				admission = admit(candidate);
				delivery.capped = true;
			}
		return follow(delivery, admission);
	}

	bool follow(Delivery &delivery, const Admission &admission)
	{
		if (admission.state == State::ready) {
			delivery.parked = !admission.wait;
			if (admission.wait)
				delivery.due = clock_ + *admission.wait;
			return false;
		}
		const bool begins = admission.state == State::in_flight;
		delivery.attempts.push_back({.begun = begins});
		if (!begins) {
			delivery.attempts.back().outcome = name_of(admission.state);
			end(delivery);
		}
		return begins;
	}

	// The network: the request leaves or not, arrives or not, is answered or not.
	void send(std::size_t at)
	{
		Delivery &delivery = outbox_[at];
		Attempt &attempt = delivery.attempts.back();
		if (state(delivery) != State::in_flight)
			fail("sent without an attempt that is committed and open");
		if (delivery.changed || delivery.suppressed)
			fail("sent after a change that ends it");
		if (held_)
			fail("sent through a channel that is held");
		if (expires_in(delivery) && expires_in(delivery)->count() < 0)
			fail("sent too late");
		for (const Delivery &before : std::span(outbox_).first(at))
			if (delivery.ordered && before.ordered && !delivery.ended && !before.ended &&
				before.row == delivery.row && before.priority == delivery.priority)
				fail("sent before the one before it has ended");
		if (std::ranges::count(delivery.attempts, true, &Attempt::begun) == 1 &&
			delivery.address != 0 && delivery.priority != Priority::emergency)
			first_sent_[delivery.address].push_back(clock_);
		attempt.sent = true;
		flights_.push_back({at, delivery.attempts.size() - 1, answer(attempt)});
	}

	Reply answer(Attempt &attempt)
	{
		constexpr int statuses[] = {200, 202, 204, 400, 404, 408, 410, 429, 500, 503, 302};
		Reply reply;
		if (!healthy_ && dice_.once_in(4)) { // never left
			reply.trouble = Reply::Trouble::network;
			return reply;
		}
		reply.request_left = true;
		attempt.arrived = healthy_ || !dice_.once_in(5);
		if (!attempt.arrived || (!healthy_ && dice_.once_in(4))) { // the answer is lost
			reply.trouble = Reply::Trouble::network;
			return reply;
		}
		reply.status = healthy_ ? 200 : statuses[dice_.below(std::size(statuses))];
		if (reply.status == 429)
			reply.retry_after = std::chrono::seconds(dice_.below(30));
		attempt.arrived = reply.status < 300;
		return reply;
	}

	// Nobody touches anything any more, nothing fails, time passes.
	void come_to_rest()
	{
		healthy_ = true;
		held_ = false;
		worker_ends();
		for (int round = 0; round < 200 && wrong_.empty() && !is_at_rest(); ++round) {
			turn();
			clock_ += std::chrono::hours(5);
		}
	}

	bool is_at_rest() const
	{
		return flights_.empty() && std::ranges::all_of(outbox_, [&](const Delivery &delivery) {
			return !delivery.due && !delivery.parked && state(delivery) != State::ready &&
				state(delivery) != State::in_flight;
		});
	}

	void judge_the_end()
	{
		for (const Delivery &delivery : outbox_)
			judge_the_end_of(delivery);
		for (const auto &[address, times] : first_sent_)
			for (std::size_t i = cap_most; i < times.size(); ++i)
				if (times[i] - times[i - cap_most] < cap_per)
					fail("more to one address than the cap allows");
	}

	void judge_the_end_of(const Delivery &delivery)
	{
		int sent = 0, arrived = 0, unknown = 0;
		for (const Attempt &attempt : delivery.attempts) {
			sent += attempt.sent;
			arrived += attempt.arrived;
			unknown += attempt.outcome == "unknown";
			if (attempt.outcome == "delivered" && !attempt.arrived)
				fail("delivered, and never arrived");
			if (attempt.arrived && attempt.outcome == "dead")
				fail("arrived, and called dead without a doubt");
		}
		const State end = state(delivery);
		if (end == State::ready || end == State::held || end == State::in_flight ||
			end == State::retry)
			fail("it has no end");
		if (arrived > 1 + unknown)
			fail("it came more often than attempts are in doubt");
		if (sent > delivery.policy.max_attempts + delivery.retried_by_people)
			fail("more attempts than allowed");
		const bool once = delivery.policy.unknown == RetryPolicy::Unknown::hold;
		if (once && arrived > 1 + delivery.retried_by_people)
			fail("repeated what must not be");
		if (end == State::unknown && !once && !delivery.policy.expires_after &&
			number_of(delivery) < delivery.policy.max_attempts)
			fail("in doubt, and not repeated");
		if (end == State::cancelled && !delivery.changed)
			fail("cancelled by nothing");
		if (end == State::suppressed && !delivery.suppressed && (!delivery.capped || cap_defers_))
			fail("suppressed by nobody");
		if (delivery.queued)
			fail("ended, and holds its place in the queue");
		if (end == State::expired && !delivery.policy.expires_after)
			fail("expired without a limit");
	}

	void fail(const char *what)
	{
		if (wrong_.empty())
			wrong_ = what;
	}

	static constexpr std::size_t cap_most = 2;
	static constexpr milliseconds cap_per{90'000};

	Dice dice_;
	milliseconds clock_{0};
	bool cap_defers_ = false;
	std::map<int, std::vector<milliseconds>> counted_, first_sent_; // by address
	bool held_ = false;
	bool healthy_ = false;
	std::vector<Delivery> outbox_;
	std::vector<Flight> flights_;
	std::string wrong_;
};

std::uint64_t setting(const char *name, std::uint64_t otherwise)
{
	const char *value = std::getenv(name);
	return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

} // namespace

TEST(DeliverySimulation, holds_its_promises)
{
	const std::uint64_t first = setting("SEED", 1);
	const std::uint64_t count = setting("HISTORIES", std::getenv("SEED") ? 1 : 1'000'000);
	for (std::uint64_t seed = first; seed < first + count; ++seed) {
		const std::string wrong = History(seed).run();
		ASSERT_EQ(wrong, "") << "SEED=" << seed;
	}
}
