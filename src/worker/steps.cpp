// The other half of the worker's work: what rules have planned is done when it is due.
#include "worker/worker.hpp"

#include "pg/fault.hpp"
#include "pg/figures.hpp"
#include "pg/process.hpp"

#include <algorithm>

namespace automation::worker {

using std::chrono::milliseconds;

namespace {

constexpr int most_steps = 100;		   // in one transaction: messages wait for its end
constexpr milliseconds least_wait{50}; // for what somebody else has locked
constexpr milliseconds longest_wait{60'000};

} // namespace

void Worker::take_steps()
{
	static pg::Statement tick("SELECT automation.tick($1)");
	static pg::Statement next_due("SELECT automation._next_due()");
	milliseconds wait = longest_wait;
	std::int64_t taken = 0;
	pg::report_running("taking steps that are due");
	const auto error = pg::transaction([&] {
		if (!has_extension())
			return;
		pg::Spi spi;
		taken = tick.execute({pg::Value::int4(most_steps)}).integer(0, 1);
		wait = milliseconds(next_due.execute({}).integer(0, 1));
		pg::fault_point("steps are taken");
	});
	pg::fault_point("taken steps are committed");
	pg::report_statistics();
	pg::report_idle();
	next_step_ = Clock::now() +
		(taken >= most_steps ? milliseconds(0) : std::clamp(wait, least_wait, longest_wait));
	if (error)
		after_failure(*error);
	else
		pg::count(pg::WorkerFigure::steps, static_cast<std::uint64_t>(taken));
}

} // namespace automation::worker
