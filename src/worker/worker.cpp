#include "worker/worker.hpp"

#include "pg/channel.hpp"
#include "pg/fault.hpp"
#include "pg/figures.hpp"
#include "pg/process.hpp"
#include "pg/settings.hpp"
#include "pg/workers.hpp"

#include <algorithm>
#include <utility>

namespace automation::worker {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t group_size = 16;		// settlements that are worth a transaction; ...
constexpr std::size_t large_group = 32;		// ... while others wait to be sent
constexpr milliseconds group_age{5};		// or as old as this
constexpr milliseconds longest_wait{1'000}; // deaf at most so long
constexpr milliseconds drain_time{5'000};

milliseconds until(std::chrono::steady_clock::time_point instant)
{
	const auto left = std::chrono::ceil<milliseconds>(instant - std::chrono::steady_clock::now());
	return std::max(left, milliseconds(0));
}

// An ERROR that ends the process goes past all destructors, but no thread may outlive it.
class EndsThreads {
public:
	explicit EndsThreads(Transfers &transfers)
	{
		transfers_ = &transfers;
		pg::before_exit([] {
			if (transfers_)
				transfers_->cancel_all();
		});
	}
	~EndsThreads() { transfers_ = nullptr; }
	EndsThreads(const EndsThreads &) = delete;
	EndsThreads &operator=(const EndsThreads &) = delete;

private:
	static inline Transfers *transfers_ = nullptr;
};

} // namespace

void worker_main(pg::Datum argument)
{
	const pg::Oid database = pg::become_worker(argument);
	if (database == 0)
		return;
	pg::begin_process(database);
	pg::use_own_settings();
	pg::Oid extension = 0;
	const auto error = pg::transaction([&] {
		extension = pg::extension_oid();
		pg::begin_figures();
	});
	if (error)
		error->log_warning();
	if (extension == 0) {
		pg::leave_for_lack_of_extension();
		return;
	}
	pg::follow_channels();
	start_libcurl();
	pg::fault_point("a worker begins");
	Worker worker(extension);
	const EndsThreads ends(worker.transfers());
	worker.run();
}

Worker::Worker(pg::Oid extension)
	: extension_(extension), transfers_(static_cast<std::size_t>(pg::settings::max_in_flight))
{
}

void Worker::run()
{
	pg::Waiting waiting(transfers_.descriptor());
	if (!wait_for_predecessor(waiting) || !open())
		return;
	while (!should_leave()) {
		if (turn_is_due())
			turn(Mode::sending);
		if (steps_are_due())
			take_steps();
		collect(transfers_.take_finished());
		pg::report_alive();
		pg::report_in_flight(flights_.size());
		if (!turn_is_due() && !steps_are_due())
			waiting.wait(time_to_wait());
		pg::serve_requests();
	}
	drain(waiting);
	if (extension_gone_)
		pg::leave_for_lack_of_extension();
}

// There is one worker at a time. False when this one is to leave before its turn comes.
bool Worker::wait_for_predecessor(pg::Waiting &waiting)
{
	bool told = false;
	while (!pg::claim_database()) {
		if (!std::exchange(told, true))
			pg::warn("another process still delivers the messages of this database",
				"This one begins when that one ends: see pg_locks where locktype = 'advisory' and "
				"objsubid = 28775.");
		waiting.wait(longest_wait);
		pg::serve_requests();
		if (should_leave())
			return false;
	}
	return true;
}

bool Worker::open()
{
	bool at_home = true;
	Leftovers left{};
	const auto error = pg::transaction([&] {
		const pg::Spi spi;
		directory_.refresh();
		left = outbox_.open(directory_);
		outbox_.find_channels();
		traffic_.load();
		at_home = outbox_.circumstances().is_at_home;
		pg::fault_point("what was lost is settled");
	});
	settlements_ = std::move(left.locked);
	pg::fault_point("a worker is open");
	transfers_.obey(directory_.egress());
	if (error)
		error->log_warning();
	if (!at_home)
		pg::warn("deliveries are on hold because this database was restored or copied",
			"Run automation.adopt('resume') or automation.adopt('discard').");
	if (left.held > 0)
		pg::warn(std::to_string(left.held) +
				" messages were in flight when the last worker ended and are held, since sending "
				"them "
				"again could send them twice",
			"See automation.deliveries where state = 'unknown', and automation.retry().");
	return !error;
}

bool Worker::should_leave() const
{
	return extension_gone_ || pg::stop_requested() || pg::told_to_leave();
}

bool Worker::turn_is_due()
{
	const auto now = Clock::now();
	if (now < not_before_)
		return false; // nobody who calls meanwhile has to wake us
	const pg::Called called = pg::worker_called();
	look_ = look_ || called.at_all || (next_due_ && *next_due_ <= now);
	steps_called_ = steps_called_ || called.for_steps;
	// In time, however many call meanwhile.
	if (now - polled_at_ >= milliseconds(pg::settings::poll_interval)) {
		look_ = polls_ = steps_called_ = true;
		polled_at_ = now;
		in_vain_ = 0;
	}
	const std::size_t settled = settlements_.size() - locked_;
	return look_ || settled >= (waiting_ > 0 ? large_group : group_size) ||
		(backlog_ && settled > 0 && settled >= flights_.size()) ||
		(!settlements_.empty() && now - settled_first_at_ >= group_age);
}

bool Worker::steps_are_due() const
{
	return Clock::now() >= std::max(next_step_, not_before_);
}

milliseconds Worker::time_to_wait() const
{
	milliseconds wait =
		std::min(longest_wait, until(polled_at_ + milliseconds(pg::settings::poll_interval)));
	if (next_due_)
		wait = std::min(wait, until(*next_due_));
	if (!settlements_.empty())
		wait = std::min(wait, until(settled_first_at_ + group_age));
	return std::max(std::min(wait, until(next_step_)), until(not_before_));
}

// What is under way may come to its end, for a while; then it is recorded as what it is: unknown,
// or never sent.
void Worker::drain(pg::Waiting &waiting)
{
	pg::fault_point("a worker is told to leave");
	const auto end = Clock::now() + drain_time;
	while (!extension_gone_ && transfers_.active() > 0 && Clock::now() < end) {
		waiting.wait(std::min(until(end), group_age));
		pg::serve_requests();
		collect(transfers_.take_finished());
		const auto due = std::max(settled_first_at_ + group_age, not_before_);
		if (settlements_.size() > locked_ && Clock::now() >= due)
			turn(Mode::draining);
	}
	collect(transfers_.cancel_all());
	for (int tries = 0; tries < 10 && !settlements_.empty() && !extension_gone_; ++tries) {
		turn(Mode::draining);
		if (!settlements_.empty())
			waiting.wait(milliseconds(100)); // somebody erases
	}
}

} // namespace automation::worker
