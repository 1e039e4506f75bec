#include "worker/outbox.hpp"

#include "pg/channel.hpp"
#include "pg/fields.hpp"
#include "worker/array.hpp"
#include "worker/settlement.hpp"

#include <algorithm>

namespace automation::worker {

using pg::Rows;
using pg::Statement;
using pg::Value;

namespace {

pg::Oid oid_at(const Rows &rows, std::uint64_t row, int column)
{
	return static_cast<pg::Oid>(rows.integer(row, column));
}

core::Message read_message(const Rows &rows, std::uint64_t row, bool &readable)
{
	const auto text = [&](int column) {
		const std::optional<std::string> stored = rows.text(row, column);
		const std::optional<std::string> utf8 = pg::to_utf8(stored.value_or(""));
		readable = readable && utf8;
		return utf8.value_or("");
	};
	core::Message message;
	message.recipient = text(6);
	message.body = text(7);
	message.subject = text(8);
	message.html = text(9);
	message.path = text(10);
	message.method = text(11);
	if (!rows.is_null(row, 12))
		message.headers = pg::json_entries(rows.datum(row, 12));
	return message;
}

Claim read_claim(const Rows &rows, std::uint64_t row, pg::Oid server)
{
	Claim claim{.attempt = rows.integer(row, 1),
		.delivery = rows.integer(row, 3),
		.number = static_cast<int>(rows.integer(row, 2)),
		.server = server,
		.sender = oid_at(rows, row, 4),
		.kind = core::kind_named(rows.text(row, 5).value_or("")).value_or(core::Kind::webhook),
		.readable = true,
		.message = {},
		.now = rows.integer(row, 13)};
	claim.message = read_message(rows, row, claim.readable);
	return claim;
}

} // namespace

Leftovers Outbox::open()
{
	static Statement begin(
		"UPDATE automation.worker SET epoch = epoch + 1 RETURNING epoch, settled_below");
	const Rows worker = begin.execute({});
	epoch_ = worker.integer(0, 1);
	const std::int64_t settled_below = worker.integer(0, 2);

	static Statement find("SELECT server, seen, until, txid, id FROM automation.lane");
	const Rows lanes = find.execute({});
	for (std::uint64_t row = 0; row < lanes.size(); ++row) {
		lanes_.push_back({.server = oid_at(lanes, row, 1)});
		lanes_.back().position = lanes_.back().next = {.seen = *lanes.text(row, 2),
			.until = lanes.text(row, 3),
			.txid = *lanes.text(row, 4),
			.id = lanes.integer(row, 5)};
	}
	for (const pg::Oid server : servers_of_deliveries())
		add_lane(server);

	static Statement settle(R"(
		WITH lost AS (
			UPDATE automation.attempt AS a
			SET finished_at = automation._now(), outcome = 'unknown',
				reason = 'the worker ended while the message was in flight'
			WHERE a.id >= $1 AND a.outcome IS NULL
			RETURNING a.delivery_id),
		again AS (
			INSERT INTO automation.retry (delivery_id, server, due_at)
			SELECT d.id, d.server, automation._now()
			FROM lost JOIN automation.delivery AS d ON d.id = lost.delivery_id
			WHERE d.kind <> 'sms'
			ON CONFLICT DO NOTHING
			RETURNING 1)
		SELECT (SELECT count(*) FROM again), (SELECT count(*) FROM lost) - (SELECT count(*) FROM again))");
	const Rows counts = settle.execute({Value::int8(settled_below)});
	return {.retried = counts.integer(0, 1), .held = counts.integer(0, 2)};
}

void Outbox::add_lane(pg::Oid server)
{
	if (std::ranges::none_of(lanes_, [&](const Lane &lane) { return lane.server == server; }))
		lanes_.push_back({.server = server});
}

std::set<pg::Oid> Outbox::paused() const
{
	static Statement find("SELECT server FROM automation.channel_state");
	const Rows rows = find.execute({});
	std::set<pg::Oid> servers;
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		servers.insert(oid_at(rows, row, 1));
	return servers;
}

bool Outbox::is_at_home()
{
	static Statement find("SELECT NOT automation._is_copy(), identity FROM automation.worker");
	const Rows rows = find.execute({});
	identity_ = rows.text(0, 2).value_or("");
	std::erase(identity_, '-');
	return rows.boolean(0, 1);
}

void Outbox::find_lanes()
{
	for (const pg::Oid server : pg::channel_servers())
		add_lane(server);
}

std::vector<Claim> Outbox::claim(Lane &lane, int room, const std::string &now_visible)
{
	static Statement insert(R"(
		WITH claimed AS (
			INSERT INTO automation.attempt (delivery_id, number, epoch, outcome, reason, finished_at)
			SELECT
				c.id,
				(SELECT count(*) FROM automation.attempt AS b WHERE b.delivery_id = c.id)
					+ CASE WHEN e.reason IS NULL THEN 1 ELSE 0 END,
				$2,
				CASE WHEN e.reason IS NOT NULL THEN 'cancelled' END,
				e.reason,
				CASE WHEN e.reason IS NOT NULL THEN automation._now() END
			FROM unnest($1::bigint[]) AS c (id)
			CROSS JOIN LATERAL (
				SELECT CASE WHEN c.id < (SELECT w.discarded_below FROM automation.worker AS w)
					THEN 'discarded when the database was adopted'
					ELSE (SELECT automation._ended_by(u.entity_id, u.key, u.rule_id, u.id, u.id, w.watched)
						FROM automation.delivery AS w
						JOIN automation.run AS u ON u.id = w.run_id
						WHERE w.id = c.id AND w.watched IS NOT NULL)
				END AS reason) AS e
			RETURNING id, delivery_id, number, outcome)
		SELECT
			c.id, c.number, d.id, d.rule_owner, d.kind, d.recipient,
			CASE d.kind
				WHEN 'webhook' THEN nullif(d.message -> 'body', 'null')::text
				ELSE d.message ->> 'body'
			END,
			d.message ->> 'subject', d.message ->> 'html', d.message ->> 'path', d.message ->> 'method',
			nullif(d.message -> 'headers', 'null'),
			floor(extract(epoch FROM automation._now()))::bigint, c.outcome IS NOT NULL
		FROM claimed AS c JOIN automation.delivery AS d ON d.id = c.delivery_id
		ORDER BY c.id)");
	const std::vector<std::int64_t> taken = take(lane, room, now_visible);
	if (taken.empty())
		return {};
	Array deliveries;
	for (const std::int64_t delivery : taken)
		deliveries.add(delivery);
	const Rows rows = insert.execute({deliveries.value(), Value::int8(epoch_)});
	std::vector<Claim> claims;
	Array cancelled;
	for (std::uint64_t row = 0; row < rows.size(); ++row) {
		if (rows.boolean(row, 14)) {
			cancelled.add(rows.integer(row, 3));
			continue;
		}
		claims.push_back(read_claim(rows, row, lane.server));
		claims.back().message.id = message_id(claims.back().delivery);
	}
	follow(cancelled);
	return claims;
}

void Outbox::save(std::int64_t settled_below)
{
	static Statement lanes(R"(
		INSERT INTO automation.lane AS l (server, seen, until, txid, id)
		SELECT * FROM unnest($1::oid[], $2::pg_snapshot[], $3::pg_snapshot[], $4::xid8[], $5::bigint[])
		ON CONFLICT (server) DO UPDATE
		SET seen = excluded.seen, until = excluded.until, txid = excluded.txid, id = excluded.id)");
	static Statement worker(
		"UPDATE automation.worker SET settled_below = $1 WHERE settled_below <> $1");
	Array servers, seen, until, txids, ids;
	for (Lane &lane : lanes_) {
		if (lane.saved == lane.next)
			continue;
		servers.add(static_cast<std::int64_t>(lane.server));
		seen.add(lane.next.seen);
		until.add(lane.next.until);
		txids.add(lane.next.txid);
		ids.add(lane.next.id);
		lane.saved = lane.next;
	}
	if (!servers.is_empty())
		lanes.execute({servers.value(), seen.value(), until.value(), txids.value(), ids.value()});
	worker.execute({Value::int8(settled_below)});
}

std::optional<std::chrono::milliseconds> Outbox::next_due(const std::set<pg::Oid> &servers) const
{
	static Statement find(R"(
		SELECT ceil(extract(epoch FROM min(n.due_at) - automation._now()) * 1000)::bigint
		FROM unnest($1::oid[]) AS s (server)
		CROSS JOIN LATERAL (
			SELECT r.due_at FROM automation.retry AS r
			WHERE r.server = s.server ORDER BY r.due_at LIMIT 1) AS n)");
	Array array;
	for (const pg::Oid server : servers)
		array.add(static_cast<std::int64_t>(server));
	const Rows rows = find.execute({array.value()});
	if (rows.is_null(0, 1))
		return std::nullopt;
	return std::chrono::milliseconds(std::max<std::int64_t>(rows.integer(0, 1), 0));
}

std::string Outbox::message_id(std::int64_t delivery) const
{
	return "msg_" + identity_ + "_" + std::to_string(delivery);
}

void Outbox::confirm()
{
	for (Lane &lane : lanes_) {
		lane.position = lane.next;
		lane.again = lane.next_again;
	}
}

void Outbox::revert()
{
	for (Lane &lane : lanes_) {
		lane.next = lane.position;
		lane.next_again = lane.again;
		lane.saved.reset();
		lane.backlog = true;
	}
}

} // namespace automation::worker
