#include "worker/due.hpp"

#include "pg/reading.hpp"

namespace automation::worker {

using pg::Rows;
using pg::Statement;
using pg::Value;

namespace {

Value priority_of(const Lane &lane)
{
	return Value::int2(static_cast<int>(lane.priority));
}

void search(Lane &lane)
{
	pg::Reading rows({"retry"}, {retry::server, retry::priority, retry::due_at});
	lane.due.search(rows, {Value::oid(lane.server), priority_of(lane)}, retry::due_at);
}

} // namespace

std::vector<std::int64_t> take_due(Lane &lane, int room)
{
	static Statement take(R"(
		DELETE FROM automation.retry AS r
		USING (
			SELECT w.delivery_id FROM automation.retry AS w
			WHERE w.server = $1 AND w.priority = $2 AND w.due_at >= $4 AND w.due_at <= automation._now()
			ORDER BY w.due_at LIMIT $3
			FOR UPDATE SKIP LOCKED) AS due
		WHERE r.delivery_id = due.delivery_id
		RETURNING r.delivery_id)");
	search(lane);
	if (!lane.due.is_due())
		return {};
	const Rows rows = take.execute({Value::oid(lane.server), priority_of(lane), Value::int8(room),
		pg::instant(lane.due.none_until())});
	std::vector<std::int64_t> taken;
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		taken.push_back(rows.integer(row, 1));
	return taken;
}

std::optional<std::chrono::microseconds> next_due(Lane &lane)
{
	search(lane);
	return lane.due.wait();
}

} // namespace automation::worker
