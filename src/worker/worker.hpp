// The worker of one database: claims messages, sends them, records what became of them.
#pragma once

#include "core/occupancy.hpp"
#include "pg/definitions.hpp"
#include "pg/spi.hpp"
#include "worker/directory.hpp"
#include "worker/flight.hpp"
#include "worker/outbox.hpp"
#include "worker/pace.hpp"
#include "worker/traffic.hpp"
#include "worker/transfer.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace automation::pg {
class Waiting;
}

namespace automation::worker {

void worker_main(pg::Datum argument); // entry point of the process

// One loop, in which nothing waits for anything but the loop itself: while requests are under way
// others are claimed and recorded. No transaction is open while bytes travel.
class Worker {
public:
	explicit Worker(pg::Oid extension);
	void run();
	Transfers &transfers() { return transfers_; }

private:
	using Clock = std::chrono::steady_clock;
	enum class Mode { sending, draining };
	struct Task {
		Claim claim;
		const Contact *contact; // these two are good until the next transaction
		const Course *course;
		Network::Place place;
	};

	bool wait_for_predecessor(pg::Waiting &waiting);
	bool open();
	bool should_leave() const;
	bool turn_is_due();
	bool steps_are_due() const;
	std::chrono::milliseconds time_to_wait() const;

	bool has_extension();
	void turn(Mode mode);
	void take_turn(Mode mode);
	void take_steps();
	std::vector<Task> claim(const std::string &now_visible);
	int claim(Lane &lane, int places, const std::string &now_visible, core::Occupancy &occupancy,
		std::vector<Task> &tasks);
	int ahead(const Lane &lane, const Course &course, const std::vector<Task> &tasks) const;
	std::vector<Task> claim_from_lanes(const std::string &now_visible);
	void follow_channels();
	bool find_lanes();
	Traffic::Room room_in(const Lane &lane, const core::Occupancy &occupancy);
	void save(const std::vector<Task> &tasks, std::span<const Settlement> locked);
	void after_failure(const pg::Error &error);
	void send(const Task &task);
	void set_out();
	void collect(const std::vector<Finished> &finished);
	void take_place(const Flight &flight);
	void leave_place(const Flight &flight);
	void turn_back(const Flight &flight);
	void settle(const Flight &flight, const core::Verdict &verdict, const core::Reply &reply);
	void drain(pg::Waiting &waiting);

	pg::Oid extension_;
	bool extension_gone_ = false;
	pg::Basis extension_basis_;
	Outbox outbox_;
	Directory directory_;
	Transfers transfers_;
	core::Occupancy occupancy_;
	Traffic traffic_;
	Pace pace_;
	std::map<std::int64_t, Flight> flights_; // by attempt
	int waiting_ = 0;						 // of them, for a place
	std::vector<Settlement> settlements_;	 // to be recorded
	std::size_t locked_ = 0;				 // the first of them: somebody erases their attempts
	std::int64_t last_attempt_ = 0;

	bool look_ = true; // for new deliveries, in all lanes
	bool steps_called_ = true;
	bool polls_ = true; // looks for what nobody has called for, too
	bool backlog_ =
		false; // some wait for places: half of those that were under way are worth a turn
	Clock::time_point polled_at_ = {};
	Clock::time_point settled_first_at_ = {}; // the oldest settlement not recorded
	Clock::time_point saved_at_ = {};
	Clock::time_point tidied_at_ = {};
	Clock::time_point not_before_ = {}; // after a failure, or when there was nothing to do
	int in_vain_ = 0;					// how often in a row it has looked and found nothing
	std::optional<Clock::time_point> next_due_ = {};
	Clock::time_point next_step_ = {}; // when tick() is to be called
};

} // namespace automation::worker
