#include "worker/runway.hpp"

#include <algorithm>
#include <utility>

namespace automation::worker {

namespace {

constexpr std::chrono::milliseconds moment{10};
constexpr int most_ahead = 64;
constexpr std::chrono::milliseconds longest_wait{100};

} // namespace

int Runway::ahead(pg::Oid server) const
{
	const auto found = strips_.find(server);
	if (found == strips_.end())
		return 0;
	const Strip &strip = found->second;
	const auto age = Clock::now() - strip.since;
	const int pace = age < moment ? std::max(strip.last, strip.count)
		: age < 2 * moment		  ? strip.count
								  : 0;
	const auto waiting = static_cast<int>(strip.departures.size());
	return std::max(std::min(pace, most_ahead) - waiting, 0);
}

bool Runway::Departure::is_late() const
{
	return std::chrono::steady_clock::now() - since > longest_wait;
}

void Runway::line_up(pg::Oid server, Departure departure)
{
	departure.since = Clock::now();
	strips_[server].departures.push_back(std::move(departure));
	++waiting_;
}

std::optional<Runway::Departure> Runway::next(pg::Oid server)
{
	const auto found = strips_.find(server);
	if (found == strips_.end() || found->second.departures.empty())
		return std::nullopt;
	std::optional<Departure> departure = std::move(found->second.departures.front());
	found->second.departures.pop_front();
	--waiting_;
	return departure;
}

void Runway::delivered(pg::Oid server)
{
	Strip &strip = strips_[server];
	const auto now = Clock::now();
	if (now - strip.since >= moment) {
		strip.last = now - strip.since < 2 * moment ? strip.count : 0;
		strip.count = 0;
		strip.since = now;
	}
	++strip.count;
}

} // namespace automation::worker
