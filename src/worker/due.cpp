#include "worker/due.hpp"

#include "pg/reading.hpp"

#include <algorithm>

namespace automation::worker {

using pg::Rows;
using pg::Statement;
using pg::Value;
using Clock = std::chrono::steady_clock;

namespace {

// Searches of all that take longer than that get one tenth of the time: what is entered with a time
// that is past is found when poll_interval has passed, at the latest.
constexpr std::chrono::milliseconds brief{1};
constexpr int share = 10;

Value priority_of(const Lane &lane)
{
	return Value::int2(static_cast<int>(lane.priority));
}

std::optional<pg::Instant> first_after(const Lane &lane, pg::Instant time)
{
	pg::Reading rows({"retry"}, {retry::server, retry::priority, retry::due_at});
	rows.seek({Value::oid(lane.server), priority_of(lane)}, pg::instant(time));
	if (!rows.next())
		return std::nullopt;
	return rows.integer(retry::due_at);
}

} // namespace

std::vector<std::int64_t> take_due(Lane &lane, int room)
{
	static Statement take(R"(
		DELETE FROM automation.retry AS r
		USING (
			SELECT w.delivery_id FROM automation.retry AS w
			WHERE w.server = $1 AND w.priority = $2 AND w.due_at > $4 AND w.due_at <= automation._now()
			ORDER BY w.due_at LIMIT $3
			FOR UPDATE SKIP LOCKED) AS due
		WHERE r.delivery_id = due.delivery_id
		RETURNING r.delivery_id)");
	const std::optional<pg::Instant> due = next_due(lane);
	if (!due || *due > pg::present())
		return {};
	const Rows rows = take.execute({Value::oid(lane.server), priority_of(lane), Value::int8(room),
		pg::instant(lane.none_waits_until)});
	std::vector<std::int64_t> taken;
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		taken.push_back(rows.integer(row, 1));
	return taken;
}

// While somebody's snapshot is held, all that have been taken since are still in the index.
std::optional<pg::Instant> next_due(Lane &lane)
{
	const Clock::time_point begun = Clock::now();
	const std::optional<pg::Instant> first = first_after(lane, lane.none_waits_until);
	if (lane.none_waits_until == pg::before_all) {
		const Clock::time_point ended = Clock::now();
		lane.searches_all_at = ended + share * (ended - begun - brief);
	}
	lane.none_waits_until = std::min(first.value_or(pg::never), pg::present()) - 1;
	return first;
}

void search_all(Lane &lane)
{
	if (Clock::now() >= lane.searches_all_at)
		lane.none_waits_until = pg::before_all;
}

} // namespace automation::worker
