#include "worker/queue.hpp"

namespace automation::worker {

using pg::Rows;
using pg::Statement;
using pg::Value;
using std::chrono::milliseconds;

// Of one row the numbers of messages tell the order, whichever transactions they are of: the second
// writer of a row draws its numbers after the first has committed.
std::map<std::int64_t, std::int64_t> predecessors(Array &ordered)
{
	static Statement find(R"(
		SELECT q.delivery_id, p.delivery_id
		FROM automation.queue AS q
		CROSS JOIN LATERAL (
			SELECT b.delivery_id FROM automation.queue AS b
			WHERE b.server = q.server AND b.priority = q.priority AND b.entity_id = q.entity_id
				AND b.key = q.key AND b.delivery_id < q.delivery_id
			ORDER BY b.delivery_id DESC LIMIT 1) AS p
		WHERE q.delivery_id = ANY ($1::bigint[]))");
	std::map<std::int64_t, std::int64_t> before;
	if (ordered.is_empty())
		return before;
	const Rows rows = find.execute({ordered.value()});
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		before.emplace(rows.integer(row, 1), rows.integer(row, 2));
	return before;
}

std::map<std::int64_t, core::Cap> over_caps(Array &deliveries)
{
	static Statement find("SELECT delivery, reason, wait FROM automation._over_caps($1::bigint[])");
	std::map<std::int64_t, core::Cap> caps;
	if (deliveries.is_empty())
		return caps;
	const Rows rows = find.execute({deliveries.value()});
	for (std::uint64_t row = 0; row < rows.size(); ++row) {
		core::Cap &cap = caps[rows.integer(row, 1)];
		cap.reason = rows.text(row, 2).value_or("");
		if (!rows.is_null(row, 3))
			cap.wait = milliseconds(rows.integer(row, 3));
	}
	return caps;
}

void postpone(const Lane &lane, const std::vector<Postponed> &postponed)
{
	static Statement insert(R"(
		INSERT INTO automation.retry (delivery_id, server, priority, due_at, reason)
		SELECT p.delivery, $1, $2, automation._now() + p.wait * interval '1 ms', p.reason
		FROM unnest($3::bigint[], $4::bigint[], $5::text[]) AS p (delivery, wait, reason)
		ON CONFLICT DO NOTHING)");
	if (postponed.empty())
		return;
	Array deliveries, waits, reasons;
	for (const auto &[delivery, reason, wait] : postponed) {
		deliveries.add(delivery);
		waits.add(wait ? std::optional(wait->count()) : std::nullopt);
		reasons.add(reason);
	}
	insert.execute({Value::oid(lane.server), Value::int2(static_cast<int>(lane.priority)),
		deliveries.value(), waits.value(), reasons.value()});
}

void advance(Array &ended)
{
	static Statement wake("SELECT automation._advance($1::bigint[])");
	if (!ended.is_empty())
		wake.execute({ended.value()});
}

void tidy_queue()
{
	static Statement tidy("SELECT automation._tidy_queue()");
	tidy.execute({});
}

} // namespace automation::worker
