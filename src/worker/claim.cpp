#include "worker/claim.hpp"

#include "core/delivery.hpp"
#include "pg/clock.hpp"
#include "pg/fields.hpp"
#include "pg/insertion.hpp"
#include "pg/sequence.hpp"
#include "pg/settings.hpp"
#include "pg/volume.hpp"
#include "worker/array.hpp"
#include "worker/letter.hpp"
#include "worker/queue.hpp"

#include <algorithm>
#include <map>

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
	message.reply_to = text(19);
	message.unsubscribe_token = text(20);
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
				THEN 'discarded when the database was adopted'
				WHEN d.message = automation._erased_message() THEN 'erased' ELSE e.reason END,
			CASE WHEN d.kind <> 'webhook' THEN automation._consent_problem(
				d.kind, d.recipient, coalesce(d.message ->> 'class', 'transactional')) END,
			(d.message ->> 'ordered')::boolean, (SELECT EXISTS (SELECT FROM automation.cap)),
			d.message ->> 'reply_to',
			CASE WHEN d.kind = 'email' AND d.message ->> 'class' = 'marketing'
				THEN automation._unsubscribe_token(d.kind, d.recipient, 'marketing') END,
			d.message ?| '{attachments,invite}', floor(extract(epoch FROM d.at) * 1000000)::bigint
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

struct Candidate {
	Claim claim;
	core::Candidate known;
	core::Admission admission = {};
};

Candidate candidate_at(const Rows &rows, std::uint64_t row, const Lane &lane, Directory &directory)
{
	Candidate candidate{.claim = claim_at(rows, row, lane, directory), .known = {}};
	candidate.known = {.ended_by = rows.text(row, 15),
		.suppressed_by = rows.text(row, 16),
		.expires_in = candidate.claim.expires_in,
		.simulated = pg::settings::delivery == pg::settings::delivery_simulated};
	return candidate;
}

bool begins(const core::Admission &admission)
{
	return admission.state == core::State::in_flight;
}

void keep_order(std::vector<Candidate> &candidates)
{
	Array ordered;
	for (const Candidate &candidate : candidates)
		if (candidate.claim.ordered)
			ordered.add(candidate.claim.delivery);
	const std::map<std::int64_t, std::int64_t> before = predecessors(ordered);
	for (Candidate &candidate : candidates)
		if (const auto found = before.find(candidate.claim.delivery); found != before.end())
			candidate.known.behind = found->second;
}

// A message counts once, when it is about to be sent for the first time.
void keep_caps(std::vector<Candidate> &candidates)
{
	Array first;
	for (const Candidate &candidate : candidates)
		if (begins(candidate.admission) && candidate.claim.number == 1)
			first.add(candidate.claim.delivery);
	const std::map<std::int64_t, core::Cap> caps = over_caps(first);
	for (Candidate &candidate : candidates)
		if (const auto found = caps.find(candidate.claim.delivery); found != caps.end()) {
			candidate.known.cap = found->second;
			candidate.admission = core::admit(candidate.known);
		}
}

std::vector<Candidate> judge(
	const std::vector<std::int64_t> &deliveries, const Lane &lane, Directory &directory)
{
	std::vector<Candidate> candidates;
	const Rows found = find(deliveries);
	for (std::uint64_t row = 0; row < found.size(); ++row)
		candidates.push_back(candidate_at(found, row, lane, directory));
	keep_order(candidates);
	for (Candidate &candidate : candidates)
		candidate.admission = core::admit(candidate.known);
	const bool there_are_caps = found.size() > 0 && found.boolean(0, 18);
	if (there_are_caps)
		keep_caps(candidates);
	return candidates;
}

void put_off(const Lane &lane, std::vector<Candidate> &candidates)
{
	const auto is_later = [](const Candidate &candidate) {
		return candidate.admission.state == core::State::ready;
	};
	std::vector<Postponed> later;
	for (const Candidate &candidate : candidates)
		if (is_later(candidate))
			later.push_back(
				{candidate.claim.delivery, candidate.admission.reason, candidate.admission.wait});
	postpone(lane, later);
	std::erase_if(candidates, is_later);
}

// Each of them has an attempt then, be it one that has ended before it began.
void write_attempts(std::vector<Candidate> &candidates, std::int64_t epoch)
{
	const Value now = pg::instant(pg::present());
	const Value never = Value::null(Value::Type::timestamptz),
				none = Value::null(Value::Type::text);
	std::vector<Value> rows;
	for (auto &[claim, known, admission] : candidates) {
		const bool sends = begins(admission);
		claim.attempt = pg::next_value("attempt_id_seq");
		for (const Value &value : {Value::int8(claim.attempt), Value::int8(claim.delivery),
				 Value::int2(claim.number - (sends ? 0 : 1)), // what does not begin does not count
				 Value::int8(epoch), now, sends ? never : now,
				 sends ? none : Value::text(core::name_of(admission.state)),
				 Value::null(Value::Type::int4), sends ? none : Value::text(admission.reason)})
			rows.push_back(value);
	}
	if (!candidates.empty())
		pg::insert_into(pg::in_volume("attempt"), rows, rows.size() / candidates.size());
}

} // namespace

std::vector<Claim> admit(const std::vector<std::int64_t> &deliveries, const Lane &lane,
	std::int64_t epoch, Directory &directory)
{
	if (deliveries.empty())
		return {};
	std::vector<Candidate> candidates = judge(deliveries, lane, directory);
	put_off(lane, candidates);
	write_attempts(candidates, epoch);
	std::vector<Claim> claims;
	Array ended, ended_in_order;
	for (auto &[claim, known, admission] : candidates) {
		if (begins(admission)) {
			claims.push_back(std::move(claim));
			continue;
		}
		ended.add(claim.delivery);
		if (claim.ordered)
			ended_in_order.add(claim.delivery);
	}
	follow(ended);
	advance(ended_in_order);
	enclose(claims);
	return claims;
}

std::vector<Settlement> settle_lost(std::int64_t settled_below, Directory &directory)
{
	static Statement find(R"(
		SELECT a.id, a.delivery_id, a.number, d.server, d.rule_owner, d.message -> 'delivery',
			ceil(extract(epoch FROM automation._now() - d.at) * 1000)::bigint,
			ceil(extract(epoch FROM automation._now() - a.started_at) * 1000)::bigint, d.priority,
			(d.message ->> 'ordered')::boolean
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
			.priority = static_cast<core::Priority>(rows.integer(row, 9)),
			.ordered = rows.boolean(row, 10),
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
