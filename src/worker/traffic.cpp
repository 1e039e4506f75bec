#include "worker/traffic.hpp"

#include "pg/fault.hpp"
#include "pg/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>

namespace automation::worker {

using core::Breaker;
using pg::Statement;
using pg::Value;
using std::chrono::milliseconds;

namespace {

milliseconds instant()
{
	return std::chrono::duration_cast<milliseconds>(
		std::chrono::steady_clock::now().time_since_epoch());
}

// A server's words may tell of a recipient, and outlive his erasure here.
std::string without_addresses(const std::string &reason)
{
	std::istringstream words(reason);
	std::string kept;
	for (std::string word; words >> word;) {
		const bool is_host = word.find(':') != std::string::npos ||
			std::ranges::count(word, '.') > 1; // an address of a machine
		const bool tells = word.find('@') != std::string::npos ||
			(!is_host && std::ranges::count_if(word, [](unsigned char c) {
				return std::isdigit(c) != 0;
			}) > 5);
		kept += (kept.empty() ? "" : " ") + (tells ? "..." : word);
	}
	return kept;
}

void narrow(Traffic::Room &room, int places, std::string reason)
{
	if (places >= room.places)
		return;
	room.places = std::max(places, 0);
	room.limited_by = std::move(reason);
}

} // namespace

core::Bucket &Traffic::bucket(pg::Oid server, core::Rate rate)
{
	const auto found = buckets_.find(server);
	if (found != buckets_.end() && found->second.rate() == rate)
		return found->second;
	return buckets_.insert_or_assign(server, core::Bucket(rate, instant())).first->second;
}

Traffic::Room Traffic::room(pg::Oid server, core::Priority priority, const Course &course,
	const core::Occupancy &occupancy, int claimed)
{
	const core::Limits &limits = course.limits;
	Room room{.places = occupancy.room(server, priority, pg::settings::max_in_flight)};
	narrow(room,
		occupancy.room(server, course.host, priority, pg::settings::max_in_flight_per_host),
		fmt::format("host {} has {} requests under way", course.host, occupancy.of(course.host)));
	if (limits.max_in_flight)
		narrow(room, *limits.max_in_flight - occupancy.of(server),
			fmt::format("channel has {} requests under way", *limits.max_in_flight));
	if (limits.rate) {
		core::Bucket &tokens = bucket(server, *limits.rate);
		const int content = tokens.content(instant()) - claimed;
		if (content < room.places)
			room.wait = tokens.wait();
		narrow(room, content, "channel is at its rate limit");
	} else {
		buckets_.erase(server);
	}
	const auto found = breakers_.find(server);
	if (found == breakers_.end())
		return room;
	const auto &[breaker, reason] = found->second;
	const Breaker::State state = breaker.state(instant());
	if (state == Breaker::State::half_open)
		narrow(room, 1 - occupancy.of(server), "one attempt decides: " + reason);
	if (state == Breaker::State::open) {
		narrow(room, 0, "channel is left alone for a while: " + reason);
		room.wait = breaker.until() - instant();
	}
	return room;
}

void Traffic::sent(pg::Oid server)
{
	const auto found = buckets_.find(server);
	if (found != buckets_.end())
		found->second.take(1);
}

void Traffic::ended(pg::Oid server, const Course &course, bool answered, const std::string &reason)
{
	Tripped &tripped = breakers_[server];
	const bool changes = answered ? tripped.breaker.succeeded()
								  : tripped.breaker.failed(course.limits.breaker, instant());
	if (!changes)
		return;
	tripped.reason = without_addresses(reason);
	changed_.insert(server);
}

void Traffic::load()
{
	static Statement find("SELECT server, openings, greatest(ceil(extract(epoch FROM until - "
						  "automation._now()) * 1000), 0)::bigint, reason FROM automation.breaker");
	const pg::Rows rows = find.execute({});
	for (std::uint64_t row = 0; row < rows.size(); ++row) {
		Tripped &tripped = breakers_[static_cast<pg::Oid>(rows.integer(row, 1))];
		tripped.breaker.open(
			static_cast<int>(rows.integer(row, 2)), instant() + milliseconds(rows.integer(row, 3)));
		tripped.reason = rows.text(row, 4).value_or("");
	}
}

void Traffic::save()
{
	static Statement closed("DELETE FROM automation.breaker WHERE server = $1");
	static Statement open(R"(
		INSERT INTO automation.breaker (server, openings, until, reason)
		VALUES ($1, $2, automation._now() + $3 * interval '1 ms', $4)
		ON CONFLICT (server) DO UPDATE
		SET openings = excluded.openings, until = excluded.until, reason = excluded.reason)");
	for (const pg::Oid server : changed_) {
		const auto &[breaker, reason] = breakers_[server];
		if (breaker.openings() == 0)
			closed.execute({Value::oid(server)});
		else
			open.execute({Value::oid(server), Value::int4(breaker.openings()),
				Value::int8((breaker.until() - instant()).count()), Value::text(reason)});
		pg::fault_point("a breaker is saved");
	}
}

} // namespace automation::worker
