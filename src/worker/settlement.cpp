#include "worker/settlement.hpp"

namespace automation::worker {

using pg::Statement;
using pg::Value;

namespace {

void pause(pg::Oid server, const std::string &reason)
{
	static Statement insert("INSERT INTO automation.channel_state (server, called, reason) "
							"SELECT s.oid, s.srvname, $2 FROM pg_catalog.pg_foreign_server AS s "
							"WHERE s.oid = $1 ON CONFLICT DO NOTHING");
	insert.execute({Value::oid(server), Value::text(reason)});
}

void schedule(const std::vector<Settlement> &settlements)
{
	static Statement insert(R"(
		INSERT INTO automation.retry (delivery_id, server, due_at)
		SELECT f.delivery, f.server, automation._now() + f.retry_in * interval '1 ms'
		FROM unnest($1::bigint[], $2::oid[], $3::bigint[]) AS f (delivery, server, retry_in)
		ON CONFLICT DO NOTHING)");
	Array deliveries, servers, waits;
	for (const Settlement &settlement : settlements) {
		if (!settlement.retry_in)
			continue;
		deliveries.add(settlement.delivery);
		servers.add(static_cast<std::int64_t>(settlement.server));
		waits.add(settlement.retry_in->count());
	}
	if (!deliveries.is_empty())
		insert.execute({deliveries.value(), servers.value(), waits.value()});
}

} // namespace

void follow(Array &deliveries)
{
	static Statement delivered("SELECT automation._delivered($1::bigint[])");
	if (!deliveries.is_empty())
		delivered.execute({deliveries.value()});
}

void record(const std::vector<Settlement> &settlements)
{
	static Statement update(R"(
		UPDATE automation.attempt AS a
		SET finished_at = a.started_at + f.elapsed * interval '1 ms', outcome = f.outcome,
			status_code = nullif(f.status, 0), reason = nullif(f.reason, ''),
			response = nullif(f.response, ''),
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
	if (attempts.is_empty())
		return;
	update.execute({attempts.value(), elapsed.value(), outcomes.value(), statuses.value(),
		reasons.value(), responses.value(), waits.value()});
	for (const Settlement &settlement : settlements)
		if (settlement.pause_channel)
			pause(settlement.server, settlement.reason);
	schedule(settlements);
	Array finished;
	for (const Settlement &settlement : settlements)
		if (!settlement.retry_in)
			finished.add(settlement.delivery);
	follow(finished);
}

} // namespace automation::worker
