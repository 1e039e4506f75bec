#include "worker/candidate.hpp"

#include "pg/fields.hpp"
#include "pg/settings.hpp"
#include "pg/volume.hpp"
#include "worker/array.hpp"

#include <utility>

namespace automation::worker {

using pg::Rows;
using pg::Statement;
using std::chrono::milliseconds;

namespace {

constexpr std::int64_t microseconds_in_second = 1'000'000;

// Rounded up: what has expired has.
std::int64_t age_in_ms(pg::Instant made, pg::Instant now)
{
	constexpr std::int64_t microseconds = 1'000;
	const std::int64_t age = now - made;
	return age / microseconds + (age % microseconds > 0 ? 1 : 0);
}

Claim claim_of(Stored &&stored, const Lane &lane, const std::string &identity, Directory &directory)
{
	const pg::Instant now = pg::present();
	Claim claim{.attempt = 0,
		.delivery = stored.id,
		.origin = stored.origin,
		.number = 1,
		.ordered = stored.is_ordered,
		.server = lane.server,
		.priority = lane.priority,
		.sender = stored.sender,
		.policy = directory.policy(lane.server, stored.sender, stored.policy),
		.expires_in = {},
		.readable = stored.readable,
		.encloses = stored.encloses,
		.message = std::move(stored.message),
		.now = pg::unix_microseconds(now) / microseconds_in_second};
	claim.message.id = "msg_" + identity + "_" + claim.message.id;
	claim.expires_in = expires_in(claim.policy, age_in_ms(stored.at, now));
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

std::optional<std::string> ended_by(const Stored &stored, const Circumstances &circumstances)
{
	if (stored.id < circumstances.discarded_below)
		return "discarded when the database was adopted";
	if (stored.is_erased)
		return "erased";
	return std::nullopt;
}

Candidate candidate_of(
	Stored &&stored, const Lane &lane, const Circumstances &circumstances, Directory &directory)
{
	core::Candidate known{
		.ended_by = ended_by(stored, circumstances), .simulated_by = simulated_by(stored.is_test)};
	Candidate candidate{
		.claim = claim_of(std::move(stored), lane, circumstances.identity, directory),
		.known = std::move(known),
		.counted = false,
		.watched = stored.is_watched};
	candidate.known.expires_in = candidate.claim.expires_in;
	return candidate;
}

// Those that somebody has called back.
void look_for_recalls(std::vector<Candidate> &candidates)
{
	enum : int { delivery = 1, reason };
	pg::Reading recalled({"recalled"}, {delivery});
	for (Candidate &candidate : candidates) {
		if (candidate.known.ended_by)
			continue;
		recalled.seek({pg::Value::int8(candidate.claim.delivery)});
		if (recalled.next())
			candidate.known.ended_by = recalled.text(reason);
	}
}

// What the recipients of text messages and e-mails have said about them.
void ask_for_consent(std::vector<Candidate> &candidates, const std::vector<std::size_t> &addressed)
{
	static pg::VolumeStatement find(R"(
		SELECT c.place,
			automation._consent_problem(
				d.kind, d.recipient, coalesce(d.message ->> 'class', 'transactional')),
			CASE WHEN d.kind = 'email' AND d.message ->> 'class' = 'marketing'
				THEN automation._unsubscribe_token(d.kind, d.recipient, 'marketing') END
		FROM unnest($1::bigint[], $2::bigint[]) AS c (id, place)
		JOIN ONLY automation.delivery%v AS d ON d.id = c.id)");
	Array ids, places;
	for (const std::size_t place : addressed) {
		ids.add(candidates[place].claim.delivery);
		places.add(static_cast<std::int64_t>(place));
	}
	find.execute(addressed.size(), {ids.value(), places.value()}, [&](const Rows &rows) {
		for (std::uint64_t row = 0; row < rows.size(); ++row) {
			Candidate &candidate = candidates.at(static_cast<std::size_t>(rows.integer(row, 1)));
			candidate.known.suppressed_by = rows.text(row, 2);
			candidate.claim.message.unsubscribe_token = rows.text(row, 3).value_or("");
		}
	});
}

// Those whose row may have changed in the meantime.
void look_for_changes(std::vector<Candidate> &candidates)
{
	static Statement find(
		R"(
		SELECT c.place, e.reason
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS c (id, run_id, place)
		JOIN automation.delivery AS d ON d.id = c.id
		JOIN automation.run AS u ON u.id = c.run_id
		CROSS JOIN LATERAL automation._ended_by(u.entity_id, u.key, u.rule_id, u.id, u.id, d.watched)
			AS e (reason))",
		Statement::Plan::by_index);
	Array ids, runs, places;
	for (const Candidate &candidate : candidates)
		if (candidate.watched && !candidate.known.ended_by) {
			ids.add(candidate.claim.delivery);
			runs.add(candidate.claim.origin.run);
			places.add(&candidate - candidates.data());
		}
	if (ids.is_empty())
		return;
	const Rows rows = find.execute({ids.value(), runs.value(), places.value()});
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		candidates.at(static_cast<std::size_t>(rows.integer(row, 1))).known.ended_by =
			rows.text(row, 2);
}

// What is new has had no attempt.
void count_attempts(std::vector<Candidate> &candidates, const std::set<std::int64_t> &waited)
{
	static Statement find(
		R"(
		SELECT c.place, max(a.number), bool_or(a.number > 0 OR a.outcome = 'retry')
		FROM unnest($1::bigint[], $2::bigint[]) AS c (id, place)
		JOIN automation.attempt AS a ON a.delivery_id = c.id
		GROUP BY c.place)",
		Statement::Plan::by_index);
	Array ids, places;
	for (const Candidate &candidate : candidates)
		if (waited.contains(candidate.claim.delivery)) {
			ids.add(candidate.claim.delivery);
			places.add(&candidate - candidates.data());
		}
	if (ids.is_empty())
		return;
	const Rows rows = find.execute({ids.value(), places.value()});
	for (std::uint64_t row = 0; row < rows.size(); ++row) {
		Candidate &candidate = candidates.at(static_cast<std::size_t>(rows.integer(row, 1)));
		candidate.claim.number = static_cast<int>(rows.integer(row, 2)) + 1;
		candidate.counted = rows.boolean(row, 3);
	}
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

std::vector<Candidate> candidates_of(std::vector<Stored> deliveries,
	const std::set<std::int64_t> &waited, const Lane &lane, const Circumstances &circumstances,
	Directory &directory)
{
	std::vector<Candidate> candidates;
	std::vector<std::size_t> addressed;
	for (Stored &delivery : deliveries) {
		if (delivery.kind != core::Kind::webhook)
			addressed.push_back(candidates.size());
		candidates.push_back(candidate_of(std::move(delivery), lane, circumstances, directory));
	}
	look_for_recalls(candidates);
	ask_for_consent(candidates, addressed);
	look_for_changes(candidates);
	count_attempts(candidates, waited);
	return candidates;
}

} // namespace automation::worker
