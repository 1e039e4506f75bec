#include "worker/candidate.hpp"

#include "pg/fields.hpp"
#include "pg/settings.hpp"
#include "worker/array.hpp"

namespace automation::worker {

using pg::Rows;
using pg::Statement;
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
	message.reply_to = text(19);
	message.unsubscribe_token = text(20);
	if (!rows.is_null(row, 10))
		message.headers = pg::json_entries(rows.datum(row, 10));
	return message;
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
				THEN 'discarded when the database was adopted'
				WHEN d.message = automation._erased_message() THEN 'erased' ELSE coalesce(
					(SELECT r.reason FROM automation.recalled AS r WHERE r.delivery_id = d.id), e.reason) END,
			CASE WHEN d.kind <> 'webhook' THEN automation._consent_problem(
				d.kind, d.recipient, coalesce(d.message ->> 'class', 'transactional')) END,
			(d.message ->> 'ordered')::boolean, (SELECT EXISTS (SELECT FROM automation.cap)),
			d.message ->> 'reply_to',
			CASE WHEN d.kind = 'email' AND d.message ->> 'class' = 'marketing'
				THEN automation._unsubscribe_token(d.kind, d.recipient, 'marketing') END,
			d.message ?| '{attachments,invite}', floor(extract(epoch FROM d.at) * 1000000)::bigint,
			d.message ? 'test'
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

Claim claim_at(const Rows &rows, std::uint64_t row, const Lane &lane, Directory &directory)
{
	Claim claim{.attempt = 0,
		.delivery = rows.integer(row, 1),
		.number = static_cast<int>(rows.integer(row, 14)) + 1,
		.ordered = rows.boolean(row, 17),
		.server = lane.server,
		.priority = lane.priority,
		.sender = static_cast<pg::Oid>(rows.integer(row, 2)),
		.kind = core::kind_named(rows.text(row, 3).value_or("")).value_or(core::Kind::webhook),
		.policy = {},
		.expires_in = {},
		.readable = true,
		.encloses = rows.boolean(row, 21),
		.message = {},
		.now = rows.integer(row, 12)};
	claim.policy = directory.policy(lane.server, claim.sender, entries_at(rows, row, 11));
	claim.expires_in = expires_in(claim.policy, rows.integer(row, 13));
	claim.message = read_message(rows, row, claim.readable);
	// A server that was set back, or goes on without the last moments of another, gives a number to
	// a second message, but not at the same time.
	claim.message.id = std::to_string(claim.delivery) + "_" + std::to_string(rows.integer(row, 22));
	return claim;
}

std::optional<std::string> simulated_by(bool test)
{
	if (test)
		return core::test_mode;
	if (pg::settings::delivery == pg::settings::delivery_simulated)
		return "pg_automation.delivery is simulate";
	return std::nullopt;
}

Candidate candidate_at(const Rows &rows, std::uint64_t row, const Lane &lane, Directory &directory)
{
	Candidate candidate{.claim = claim_at(rows, row, lane, directory),
		.known = {},
		.capped = rows.boolean(row, 18)};
	candidate.known = {.ended_by = rows.text(row, 15),
		.suppressed_by = rows.text(row, 16),
		.expires_in = candidate.claim.expires_in,
		.simulated_by = simulated_by(rows.boolean(row, 23))};
	return candidate;
}

} // namespace

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

std::vector<Candidate> candidates_of(
	const std::vector<std::int64_t> &deliveries, const Lane &lane, Directory &directory)
{
	std::vector<Candidate> candidates;
	const Rows found = find(deliveries);
	for (std::uint64_t row = 0; row < found.size(); ++row)
		candidates.push_back(candidate_at(found, row, lane, directory));
	return candidates;
}

} // namespace automation::worker
