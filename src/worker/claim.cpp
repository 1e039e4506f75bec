#include "worker/claim.hpp"

#include "core/delivery.hpp"
#include "pg/fields.hpp"
#include "pg/settings.hpp"
#include "worker/array.hpp"

namespace automation::worker {

using pg::Rows;
using pg::Statement;
using pg::Value;
using std::chrono::milliseconds;

namespace {

core::Message read_message(const Rows &rows, std::uint64_t row, bool &readable)
{
	const auto text = [&](int column) {
		const std::optional<std::string> stored = rows.text(row, column);
		const std::optional<std::string> utf8 = pg::to_utf8(stored.value_or(""));
		readable = readable && utf8;
		return utf8.value_or("");
	};
	core::Message message;
	message.recipient = text(4);
	message.body = text(5);
	message.subject = text(6);
	message.html = text(7);
	message.path = text(8);
	message.method = text(9);
	if (!rows.is_null(row, 10))
		message.headers = pg::json_entries(rows.datum(row, 10));
	return message;
}

core::Entries entries_at(const Rows &rows, std::uint64_t row, int column)
{
	return rows.is_null(row, column) ? core::Entries() : pg::json_entries(rows.datum(row, column));
}

std::optional<milliseconds> expires_in(const core::RetryPolicy &policy, std::int64_t age)
{
	if (!policy.expires_after)
		return std::nullopt;
	return *policy.expires_after - milliseconds(age);
}

Rows find(const std::vector<std::int64_t> &deliveries)
{
	static Statement find(R"(
		SELECT
			d.id, d.rule_owner, d.kind, d.recipient,
			CASE d.kind
				WHEN 'webhook' THEN nullif(d.message -> 'body', 'null')::text
				ELSE d.message ->> 'body'
			END,
			d.message ->> 'subject', d.message ->> 'html', d.message ->> 'path', d.message ->> 'method',
			nullif(d.message -> 'headers', 'null'), d.message -> 'delivery',
			floor(extract(epoch FROM automation._now()))::bigint,
			ceil(extract(epoch FROM automation._now() - d.at) * 1000)::bigint,
			(SELECT max(a.number) FROM automation.attempt AS a WHERE a.delivery_id = d.id),
			CASE WHEN d.id < (SELECT w.discarded_below FROM automation.worker AS w)
				THEN 'discarded when the database was adopted' ELSE e.reason END,
			CASE WHEN d.kind <> 'webhook' THEN automation._consent_problem(
				d.kind, d.recipient, coalesce(d.message ->> 'class', 'transactional')) END,
			floor(extract(epoch FROM d.at) * 1000000)::bigint
		FROM unnest($1::bigint[]) WITH ORDINALITY AS c (id, place)
		JOIN automation.delivery AS d ON d.id = c.id
		LEFT JOIN LATERAL (
			SELECT automation._ended_by(u.entity_id, u.key, u.rule_id, u.id, u.id, d.watched) AS reason
			FROM automation.run AS u
			WHERE u.id = d.run_id AND d.watched IS NOT NULL) AS e ON true
		ORDER BY c.place)");
	Array ids;
	for (const std::int64_t delivery : deliveries)
		ids.add(delivery);
	return find.execute({ids.value()});
}

Claim claim_at(const Rows &rows, std::uint64_t row, pg::Oid server, Directory &directory)
{
	Claim claim{.attempt = 0,
		.delivery = rows.integer(row, 1),
		.number = static_cast<int>(rows.integer(row, 14)) + 1,
		.server = server,
		.sender = static_cast<pg::Oid>(rows.integer(row, 2)),
		.kind = core::kind_named(rows.text(row, 3).value_or("")).value_or(core::Kind::webhook),
		.policy = {},
		.expires_in = {},
		.readable = true,
		.message = {},
		.now = rows.integer(row, 12)};
	claim.policy = directory.policy(server, claim.sender, entries_at(rows, row, 11));
	claim.expires_in = expires_in(claim.policy, rows.integer(row, 13));
	claim.message = read_message(rows, row, claim.readable);
	// A server that was set back, or goes on without the last moments of another, gives a number to
	// a second message, but not at the same time.
	claim.message.id = std::to_string(claim.delivery) + "_" + std::to_string(rows.integer(row, 17));
	return claim;
}

core::Admission admission_at(const Rows &rows, std::uint64_t row, const Claim &claim)
{
	return core::admit({.ended_by = rows.text(row, 15),
		.suppressed_by = rows.text(row, 16),
		.expires_in = claim.expires_in,
		.simulated = pg::settings::delivery == pg::settings::delivery_simulated});
}

} // namespace

std::vector<Claim> admit(const std::vector<std::int64_t> &deliveries, pg::Oid server,
	std::int64_t epoch, Directory &directory)
{
	static Statement insert(R"(
		INSERT INTO automation.attempt (delivery_id, number, epoch, outcome, reason, finished_at)
		SELECT c.delivery, c.number, $5, c.outcome, c.reason,
			CASE WHEN c.outcome IS NOT NULL THEN automation._now() END
		FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[])
			WITH ORDINALITY AS c (delivery, number, outcome, reason, place)
		ORDER BY c.place
		RETURNING id)");
	if (deliveries.empty())
		return {};
	const Rows found = find(deliveries);
	std::vector<Claim> candidates;
	std::vector<core::Admission> admissions;
	for (std::uint64_t row = 0; row < found.size(); ++row) {
		candidates.push_back(claim_at(found, row, server, directory));
		admissions.push_back(admission_at(found, row, candidates.back()));
	}
	Array ids, numbers, outcomes, reasons, ended;
	for (std::size_t i = 0; i < candidates.size(); ++i) {
		const bool begins = admissions[i].state == core::State::in_flight;
		ids.add(candidates[i].delivery);
		numbers.add(candidates[i].number - (begins ? 0 : 1)); // what does not begin does not count
		outcomes.add(begins ? std::nullopt : std::optional(core::name_of(admissions[i].state)));
		reasons.add(begins ? std::nullopt : std::optional(admissions[i].reason));
		if (!begins)
			ended.add(candidates[i].delivery);
	}
	const Rows attempts = insert.execute(
		{ids.value(), numbers.value(), outcomes.value(), reasons.value(), Value::int8(epoch)});
	std::vector<Claim> claims;
	for (std::size_t i = 0; i < candidates.size(); ++i) {
		candidates[i].attempt = attempts.integer(i, 1);
		if (admissions[i].state == core::State::in_flight)
			claims.push_back(std::move(candidates[i]));
	}
	follow(ended);
	return claims;
}

std::vector<Settlement> settle_lost(std::int64_t settled_below, Directory &directory)
{
	static Statement find(R"(
		SELECT a.id, a.delivery_id, a.number, d.server, d.rule_owner, d.message -> 'delivery',
			ceil(extract(epoch FROM automation._now() - d.at) * 1000)::bigint,
			ceil(extract(epoch FROM automation._now() - a.started_at) * 1000)::bigint
		FROM automation.attempt AS a JOIN automation.delivery AS d ON d.id = a.delivery_id
		WHERE a.id >= $1 AND a.outcome IS NULL
		ORDER BY a.id)");
	const Rows rows = find.execute({Value::int8(settled_below)});
	std::vector<Settlement> lost;
	for (std::uint64_t row = 0; row < rows.size(); ++row) {
		const auto server = static_cast<pg::Oid>(rows.integer(row, 4));
		const auto sender = static_cast<pg::Oid>(rows.integer(row, 5));
		const core::RetryPolicy policy = directory.policy(server, sender, entries_at(rows, row, 6));
		const core::Decision decision = core::lost(static_cast<int>(rows.integer(row, 3)), policy,
			expires_in(policy, rows.integer(row, 7)));
		lost.push_back({.attempt = rows.integer(row, 1),
			.delivery = rows.integer(row, 2),
			.server = server,
			.outcome = decision.outcome,
			.status = 0,
			.reason = decision.reason,
			.response = {},
			.elapsed = milliseconds(rows.integer(row, 8)),
			.retry_in = decision.retry_in,
			.pause_channel = false});
	}
	return lost;
}

} // namespace automation::worker
