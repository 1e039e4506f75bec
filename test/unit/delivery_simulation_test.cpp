// The life of deliveries, over a million histories: an outbox, a worker that may end between any
// two of its moves, a network that loses what it likes, people who change, cancel and retry. Clock,
// dice, network and store are the test's; every decision is the core's. A history is its seed:
//
//   HISTORIES=20000000 delivery_simulation_test      SEED=4711 delivery_simulation_test
#include "core/delivery.hpp"
#include "core/outcome.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
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
};

// A request under way; the worker's memory, gone when it ends.
struct Flight {
	std::size_t delivery;
	std::size_t attempt;
	Reply reply;
};

class History {
public:
	explicit History(std::uint64_t seed) : dice_(seed) {}

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
			return write();
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
		++delivery.retried_by_people;
	}

	std::size_t any_delivery()
	{
		return static_cast<std::size_t>(dice_.below(static_cast<int>(outbox_.size())));
	}

	State state(const Delivery &delivery) const
	{
		Record record{.attempted = !delivery.attempts.empty(), .planned = delivery.due.has_value()};
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

	// The worker ended: the next one settles what it finds in flight.
	void worker_ends()
	{
		flights_.clear();
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
	}

	// Answers are recorded and deliveries claimed in one commit, then what was claimed is sent.
	void turn()
	{
		if (ends_here())
			return; // before the commit: as if nothing had come back
		for (const Flight &flight : flights_) {
			Delivery &delivery = outbox_[flight.delivery];
			settle(delivery, flight.attempt,
				decide(judge(flight.reply), static_cast<int>(flight.attempt) + 1, delivery.policy,
					dice_.any(), expires_in(delivery)));
		}
		flights_.clear();
		std::vector<std::size_t> claimed;
		for (std::size_t at = 0; at < outbox_.size(); ++at)
			if (claim(outbox_[at]))
				claimed.push_back(at);
		for (const std::size_t at : claimed) {
			if (ends_here())
				return;
			send(at);
		}
		ends_here();
	}

	bool claim(Delivery &delivery)
	{
		const State before = state(delivery);
		const bool due = delivery.due && *delivery.due <= clock_;
		if (before != State::ready && !(before == State::retry && due) &&
			!(due && may_send_again(before)))
			return false;
		Candidate candidate{.expires_in = expires_in(delivery)};
		if (delivery.changed)
			candidate.ended_by = "changed";
		if (delivery.suppressed)
			candidate.suppressed_by = "STOP";
		const Admission admission = admit(candidate);
		delivery.due.reset();
		Attempt attempt;
		if (admission.state != State::in_flight)
			attempt.outcome = name_of(admission.state);
		delivery.attempts.push_back(attempt);
		return admission.state == State::in_flight;
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
			return !delivery.due && state(delivery) != State::ready &&
				state(delivery) != State::in_flight;
		});
	}

	void judge_the_end()
	{
		for (const Delivery &delivery : outbox_)
			judge_the_end_of(delivery);
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
		if (end == State::suppressed && !delivery.suppressed)
			fail("suppressed by nobody");
		if (end == State::expired && !delivery.policy.expires_after)
			fail("expired without a limit");
	}

	void fail(const char *what)
	{
		if (wrong_.empty())
			wrong_ = what;
	}

	Dice dice_;
	milliseconds clock_{0};
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
