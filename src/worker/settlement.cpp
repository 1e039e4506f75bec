#include "worker/settlement.hpp"

#include "pg/clock.hpp"
#include "pg/reading.hpp"
#include "pg/volume.hpp"
#include "pg/workers.hpp"
#include "worker/queue.hpp"

#include <algorithm>
#include <set>

namespace automation::worker {

using pg::Statement;
using pg::Value;

namespace {

// Columns of automation.pending, by which an index knows the steps that wait for messages.
namespace pending {
enum : int { step = 6, run = 8 };
}

// Columns of automation.attempt.
namespace attempt {
enum : int {
	id = 1,
	started_at = 5,
	finished_at,
	outcome,
	status_code,
	reason,
	response,
	retry_at
};
}

void pause(pg::Oid server, const std::string &reason)
{
	static Statement insert("INSERT INTO automation.channel_state (server, called, reason) "
							"SELECT s.oid, s.srvname, $2 FROM pg_catalog.pg_foreign_server AS s "
							"WHERE s.oid = $1 ON CONFLICT DO NOTHING");
	insert.execute({Value::oid(server), Value::text(reason)});
}

// Only erasure gives an attempt in flight a reason: what comes after it stays out.
bool write_outcome(pg::Reading &row, const Settlement &settlement)
{
	const auto text = [](const std::string &written) {
		return written.empty() ? Value::null(Value::Type::text) : Value::text(written);
	};
	const std::optional<std::string> erased = row.text(attempt::reason);
	const std::string &reason = settlement.reason;
	const auto later = [](pg::Instant from, std::chrono::microseconds wait) {
		return pg::instant(from + wait.count());
	};
	return row.change({
		{attempt::finished_at, later(row.integer(attempt::started_at), settlement.elapsed)},
		{attempt::outcome, Value::text(core::name_of(settlement.outcome))},
		{attempt::status_code,
			settlement.status ? Value::int4(settlement.status) : Value::null(Value::Type::int4)},
		{attempt::reason, text(erased && !reason.empty() ? *erased : reason)},
		{attempt::response, erased ? Value::null(Value::Type::text) : text(settlement.response)},
		{attempt::retry_at,
			settlement.retry_in ? later(pg::present(), *settlement.retry_in)
								: Value::null(Value::Type::timestamptz)},
	});
}

// The same, whatever others do to them.
void update_outcomes(std::span<const Settlement> settlements)
{
	static pg::VolumeStatement update(R"(
		UPDATE ONLY automation.attempt%v AS a
		SET finished_at = a.started_at + f.elapsed * interval '1 ms', outcome = f.outcome,
			status_code = nullif(f.status, 0),
			reason = CASE WHEN f.reason <> '' THEN coalesce(a.reason, f.reason) END,
			response = CASE WHEN a.reason IS NULL THEN nullif(f.response, '') END,
			retry_at = automation._now() + f.retry_in * interval '1 ms'
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::integer[], $5::text[], $6::text[],
			$7::bigint[]) AS f (attempt, elapsed, outcome, status, reason, response, retry_in)
		WHERE a.id = f.attempt)");
	Array attempts, elapsed, outcomes, statuses, reasons, responses, waits;
	for (const Settlement &settlement : settlements) {
		attempts.add(settlement.attempt);
		elapsed.add(settlement.elapsed.count());
		outcomes.add(core::name_of(settlement.outcome));
		statuses.add(settlement.status);
		reasons.add(settlement.reason);
		responses.add(settlement.response);
		waits.add(settlement.retry_in ? std::optional(settlement.retry_in->count()) : std::nullopt);
	}
	update.execute(settlements.size(),
		{attempts.value(), elapsed.value(), outcomes.value(), statuses.value(), reasons.value(),
			responses.value(), waits.value()},
		[](const pg::Rows &) {});
}

void write_outcomes(std::span<const Settlement> settlements)
{
	pg::Reading rows(pg::in_volume("attempt"), {attempt::id});
	std::vector<Settlement> left;
	for (const Settlement &settlement : settlements) {
		rows.seek({Value::int8(settlement.attempt)});
		if (!rows.next() || !write_outcome(rows, settlement))
			left.push_back(settlement);
	}
	if (!left.empty())
		update_outcomes(left);
}

// By what the provider calls them, its later words about the messages are understood.
void keep_provider_ids(std::span<const Settlement> settlements)
{
	static Statement insert(R"(
		INSERT INTO automation.receipt (server, provider_id, delivery_id)
		SELECT * FROM unnest($1::oid[], $2::text[], $3::bigint[])
		ON CONFLICT DO NOTHING)");
	Array servers, ids, deliveries;
	for (const Settlement &settlement : settlements) {
		if (settlement.provider_id.empty())
			continue;
		servers.add(static_cast<std::int64_t>(settlement.server));
		ids.add(settlement.provider_id);
		deliveries.add(settlement.delivery);
	}
	if (!ids.is_empty())
		insert.execute({servers.value(), ids.value(), deliveries.value()});
}

void opt_out(const Settlement &settlement)
{
	static Statement deny("SELECT automation._opt_out(d.kind, d.recipient, $2) "
						  "FROM automation.delivery AS d "
						  "WHERE d.id = $1 AND d.recipient IS NOT NULL"); // it may be erased
	deny.execute({Value::int8(settlement.delivery), Value::text(settlement.reason)});
}

// What has not begun does not count.
void uncount(std::span<const Settlement> settlements)
{
	static Statement update(
		"UPDATE automation.attempt AS a SET number = a.number - 1 WHERE a.id = ANY ($1::bigint[])",
		Statement::Plan::by_index);
	Array attempts;
	for (const Settlement &settlement : settlements)
		if (!settlement.has_begun)
			attempts.add(settlement.attempt);
	if (!attempts.is_empty())
		update.execute({attempts.value()});
}

void schedule(std::span<const Settlement> settlements)
{
	static Statement insert(R"(
		INSERT INTO automation.retry (delivery_id, server, priority, due_at)
		SELECT f.delivery, f.server, f.priority, automation._now() + f.retry_in * interval '1 ms'
		FROM unnest($1::bigint[], $2::oid[], $3::smallint[], $4::bigint[])
			AS f (delivery, server, priority, retry_in)
		ON CONFLICT DO NOTHING)");
	Array deliveries, servers, priorities, waits;
	for (const Settlement &settlement : settlements) {
		if (!settlement.retry_in)
			continue;
		deliveries.add(settlement.delivery);
		servers.add(static_cast<std::int64_t>(settlement.server));
		priorities.add(static_cast<std::int64_t>(settlement.priority));
		waits.add(settlement.retry_in->count());
	}
	if (!deliveries.is_empty())
		insert.execute({deliveries.value(), servers.value(), priorities.value(), waits.value()});
}

} // namespace

void follow(const std::vector<Origin> &origins)
{
	static Statement follow("SELECT automation._delivered($1::bigint[], $2::smallint[])");
	Array runs, steps;
	if (origins.empty())
		return;
	pg::Reading waiting({"pending"}, {pending::run, pending::step});
	for (const Origin &origin : origins) {
		waiting.seek({Value::int8(origin.run), Value::int2(origin.step + 1)});
		if (!waiting.next())
			continue;
		runs.add(origin.run);
		steps.add(static_cast<std::int64_t>(origin.step));
	}
	if (!runs.is_empty())
		follow.execute({runs.value(), steps.value()});
}

std::size_t put_locked_last(std::vector<Settlement> &settlements)
{
	static Statement lock("SELECT a.id FROM automation.attempt AS a "
						  "WHERE a.id = ANY ($1::bigint[]) FOR NO KEY UPDATE SKIP LOCKED",
		Statement::Plan::by_index);
	if (settlements.empty() || pg::claims_undisturbed())
		return settlements.size();
	Array attempts;
	for (const Settlement &settlement : settlements)
		attempts.add(settlement.attempt);
	const pg::Rows rows = lock.execute({attempts.value()});
	std::set<std::int64_t> ours;
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		ours.insert(rows.integer(row, 1));
	const auto locked = std::stable_partition(settlements.begin(), settlements.end(),
		[&](const Settlement &settlement) { return ours.contains(settlement.attempt); });
	return static_cast<std::size_t>(locked - settlements.begin());
}

void record(std::span<const Settlement> settlements)
{
	if (settlements.empty())
		return;
	write_outcomes(settlements);
	for (const Settlement &settlement : settlements) {
		if (settlement.pause_channel)
			pause(settlement.server, settlement.reason);
		if (settlement.opted_out)
			opt_out(settlement);
	}
	uncount(settlements);
	keep_provider_ids(settlements);
	schedule(settlements);
	std::vector<Origin> finished;
	Array finished_in_order;
	for (const Settlement &settlement : settlements) {
		if (settlement.retry_in)
			continue;
		finished.push_back(settlement.origin);
		if (settlement.ordered)
			finished_in_order.add(settlement.delivery);
	}
	follow(finished);
	advance(finished_in_order);
}

} // namespace automation::worker
