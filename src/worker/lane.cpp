#include "worker/lane.hpp"

#include "worker/array.hpp"

#include <algorithm>

namespace automation::worker {

using pg::Rows;
using pg::Statement;
using pg::Value;

namespace {

Value priority_of(const Lane &lane)
{
	return Value::int2(static_cast<int>(lane.priority));
}

// Never waits for somebody who is about to change the row.
std::vector<std::int64_t> take_due(const Lane &lane, int room)
{
	static Statement take(R"(
		DELETE FROM automation.retry AS r
		USING (
			SELECT w.delivery_id FROM automation.retry AS w
			WHERE w.server = $1 AND w.priority = $2 AND w.due_at <= automation._now()
			ORDER BY w.due_at LIMIT $3
			FOR UPDATE SKIP LOCKED) AS due
		WHERE r.delivery_id = due.delivery_id
		RETURNING r.delivery_id)");
	const Rows rows = take.execute({Value::oid(lane.server), priority_of(lane), Value::int8(room)});
	std::vector<std::int64_t> taken;
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		taken.push_back(rows.integer(row, 1));
	return taken;
}

// A window of the lane's batch. The transactions that were running at its beginning come before all
// that began later, so the position holds for both halves. Each half is one range of the index,
// however far the position is.
Rows find_new(const Lane &lane, const std::string &until, int room)
{
	static Statement find(R"(
		(SELECT d.id, x.txid
		FROM pg_snapshot_xip($2::pg_snapshot) AS x (txid)
		CROSS JOIN LATERAL (
			SELECT r.id FROM automation.delivery AS r
			WHERE r.server = $1 AND r.priority = $7 AND r.txid = x.txid
				AND r.id > CASE WHEN x.txid = $4::xid8 THEN $5 ELSE 0 END
			ORDER BY r.id LIMIT $6) AS d
		WHERE x.txid >= $4::xid8 AND pg_visible_in_snapshot(x.txid, (SELECT $3::pg_snapshot))
		ORDER BY x.txid, d.id LIMIT $6)
		UNION ALL
		(SELECT d.id, d.txid FROM automation.delivery AS d
		WHERE d.server = $1 AND d.priority = $7
			AND d.txid < (SELECT pg_snapshot_xmax($3::pg_snapshot))
			AND (d.txid, d.id) > (
				(SELECT greatest($4::xid8, pg_snapshot_xmax($2::pg_snapshot))),
				(SELECT CASE WHEN $4::xid8 < pg_snapshot_xmax($2::pg_snapshot) THEN 0 ELSE $5 END))
			AND pg_visible_in_snapshot(d.txid, (SELECT $3::pg_snapshot))
		ORDER BY d.txid, d.id LIMIT $6)
		LIMIT $6)");
	const Lane::Position &position = lane.next;
	return find.execute({Value::oid(lane.server), Value::text(position.seen), Value::text(until),
		Value::text(position.txid), Value::int8(position.id), Value::int8(room),
		priority_of(lane)});
}

// Leaves those about which nothing has been done yet.
void drop_begun(std::vector<std::int64_t> &deliveries)
{
	static Statement find(
		R"(
		SELECT c.id FROM unnest($1::bigint[]) AS c (id)
		WHERE EXISTS (SELECT FROM automation.attempt AS a WHERE a.delivery_id = c.id)
			OR EXISTS (SELECT FROM automation.retry AS r WHERE r.delivery_id = c.id))",
		Statement::Plan::by_index);
	Array ids;
	for (const std::int64_t delivery : deliveries)
		ids.add(delivery);
	const Rows rows = find.execute({ids.value()});
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		std::erase(deliveries, rows.integer(row, 1));
}

// Reads a window and moves the position behind it.
void take_new(Lane &lane, int room, const std::string &now_visible, Taken &taken)
{
	const bool continues = lane.next.until.has_value();
	const std::string until = lane.next.until.value_or(now_visible);
	lane.backlog = false;
	if (until == lane.next.seen)
		return;
	const Rows rows = find_new(lane, until, room);
	std::vector<std::int64_t> found;
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		found.push_back(rows.integer(row, 1));
	const bool more = found.size() == static_cast<std::size_t>(room);
	if (more)
		lane.next = {.seen = lane.next.seen,
			.until = until,
			.txid = rows.text(found.size() - 1, 2).value_or("0"),
			.id = found.back(),
			.limited_by = lane.next.limited_by};
	if (lane.next_again > 0) {
		drop_begun(found);
		for (const std::int64_t waited : taken.waited)
			std::erase(found, waited); // its turn has come just now
	}
	taken.fresh.insert(taken.fresh.end(), found.begin(), found.end());
	lane.backlog = more || continues; // what came since that batch began
	if (more)
		return;
	lane.next = {.seen = until, .limited_by = lane.next.limited_by};
	lane.next_again = std::max(lane.next_again - 1, 0);
}

} // namespace

Taken take(Lane &lane, int room, const std::string &now_visible)
{
	lane.backlog = true;
	Taken taken{.waited = take_due(lane, room)};
	const int left = room - static_cast<int>(taken.waited.size());
	while (left > 0 && lane.backlog && taken.fresh.empty())
		take_new(lane, left, now_visible, taken);
	return taken;
}

std::string visible_now()
{
	static Statement snapshot("SELECT pg_current_snapshot()");
	return snapshot.execute({}).text(0, 1).value_or("");
}

// Each pair of the index's first columns by one probe.
std::vector<Lane> lanes_of_deliveries()
{
	static Statement find(R"(
		WITH RECURSIVE l (server, priority) AS (
			(SELECT d.server, d.priority FROM automation.delivery AS d
			WHERE d.server > 0 ORDER BY d.server, d.priority LIMIT 1)
			UNION ALL
			SELECT n.server, n.priority
			FROM l
			CROSS JOIN LATERAL (
				SELECT d.server, d.priority FROM automation.delivery AS d
				WHERE (d.server, d.priority) > (l.server, l.priority)
				ORDER BY d.server, d.priority LIMIT 1) AS n)
		SELECT l.server, l.priority FROM l)");
	const Rows rows = find.execute({});
	std::vector<Lane> lanes;
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		lanes.push_back({.server = static_cast<pg::Oid>(rows.integer(row, 1)),
			.priority = static_cast<core::Priority>(rows.integer(row, 2))});
	return lanes;
}

} // namespace automation::worker
