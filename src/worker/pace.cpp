#include "worker/pace.hpp"

#include <algorithm>

namespace automation::worker {

namespace {

constexpr std::chrono::milliseconds moment{10};
constexpr int most_ahead = 64;

} // namespace

int Pace::ahead(pg::Oid server) const
{
	const auto found = counts_.find(server);
	if (found == counts_.end())
		return 0;
	const Count &count = found->second;
	const auto age = Clock::now() - count.since;
	const int pace = age < moment ? std::max(count.before, count.now)
		: age < 2 * moment		  ? count.now
								  : 0;
	return std::min(pace, most_ahead);
}

void Pace::delivered(pg::Oid server)
{
	Count &count = counts_[server];
	const auto now = Clock::now();
	if (now - count.since >= moment) {
		count.before = now - count.since < 2 * moment ? count.now : 0;
		count.now = 0;
		count.since = now;
	}
	++count.now;
}

} // namespace automation::worker
