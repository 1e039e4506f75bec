#include "worker/candidate.hpp"

#include "pg/fields.hpp"
#include "pg/settings.hpp"
#include "pg/volume.hpp"
#include "worker/array.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace automation::worker {

using pg::Rows;
using pg::Statement;
using std::chrono::milliseconds;

namespace {

// What find() answers, in its order.
namespace column {
enum : int {
	id = 1,
	run,
	step,
	sender,
	kind,
	recipient,
	body,
	subject,
	html,
	path,
	method,
	headers,
	reply_to,
	unsubscribe_token,
	policy,
	now,
	age,
	made_at,
	ended_by,
	suppressed_by,
	is_watched,
	is_ordered,
	is_capped,
	encloses,
	is_test
};
} // namespace column

pg::VolumeStatement &find()
{
	static pg::VolumeStatement find(R"(
		SELECT
			d.id, d.run_id, d.step, d.rule_owner, d.kind, d.recipient,
			CASE d.kind
				WHEN 'webhook' THEN nullif(d.message -> 'body', 'null')::text
				ELSE d.message ->> 'body'
			END,
			d.message ->> 'subject', d.message ->> 'html', d.message ->> 'path', d.message ->> 'method',
			nullif(d.message -> 'headers', 'null'), d.message ->> 'reply_to',
			CASE WHEN d.kind = 'email' AND d.message ->> 'class' = 'marketing'
				THEN automation._unsubscribe_token(d.kind, d.recipient, 'marketing') END,
			d.message -> 'delivery',
			floor(extract(epoch FROM automation._now()))::bigint,
			ceil(extract(epoch FROM automation._now() - d.at) * 1000)::bigint,
			floor(extract(epoch FROM d.at) * 1000000)::bigint,
			CASE
				WHEN d.id < (SELECT w.discarded_below FROM automation.worker AS w)
					THEN 'discarded when the database was adopted'
				WHEN d.message = automation._erased_message() THEN 'erased'
				ELSE (SELECT r.reason FROM automation.recalled AS r WHERE r.delivery_id = d.id)
			END,
			CASE WHEN d.kind <> 'webhook' THEN automation._consent_problem(
				d.kind, d.recipient, coalesce(d.message ->> 'class', 'transactional')) END,
			d.watched IS NOT NULL, (d.message ->> 'ordered')::boolean,
			(SELECT EXISTS (SELECT FROM automation.cap)), d.message ?| '{attachments,invite}',
			d.message ? 'test'
		FROM unnest($1::bigint[]) AS c (id)
		JOIN ONLY automation.delivery%v AS d ON d.id = c.id)");
	return find;
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
	message.recipient = text(column::recipient);
	message.body = text(column::body);
	message.subject = text(column::subject);
	message.html = text(column::html);
	message.path = text(column::path);
	message.method = text(column::method);
	message.reply_to = text(column::reply_to);
	message.unsubscribe_token = text(column::unsubscribe_token);
	if (!rows.is_null(row, column::headers))
		message.headers = pg::json_entries(rows.datum(row, column::headers));
	// A server that was set back, or goes on without the last moments of another, gives a number to
	// a second message, but not at the same time.
	message.id = std::to_string(rows.integer(row, column::id)) + "_" +
		std::to_string(rows.integer(row, column::made_at));
	return message;
}

Claim claim_at(const Rows &rows, std::uint64_t row, const Lane &lane, Directory &directory)
{
	Claim claim{.attempt = 0,
		.delivery = rows.integer(row, column::id),
		.origin = {.run = rows.integer(row, column::run),
			.step = static_cast<int>(rows.integer(row, column::step))},
		.number = 1,
		.ordered = rows.boolean(row, column::is_ordered),
		.server = lane.server,
		.priority = lane.priority,
		.sender = static_cast<pg::Oid>(rows.integer(row, column::sender)),
		.kind = core::kind_named(rows.text(row, column::kind).value_or(""))
					.value_or(core::Kind::webhook),
		.policy = {},
		.expires_in = {},
		.readable = true,
		.encloses = rows.boolean(row, column::encloses),
		.message = {},
		.now = rows.integer(row, column::now)};
	claim.policy =
		directory.policy(lane.server, claim.sender, entries_at(rows, row, column::policy));
	claim.expires_in = expires_in(claim.policy, rows.integer(row, column::age));
	claim.message = read_message(rows, row, claim.readable);
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
		.counted = false,
		.watched = rows.boolean(row, column::is_watched),
		.capped = rows.boolean(row, column::is_capped)};
	candidate.known = {.ended_by = rows.text(row, column::ended_by),
		.suppressed_by = rows.text(row, column::suppressed_by),
		.expires_in = candidate.claim.expires_in,
		.simulated_by = simulated_by(rows.boolean(row, column::is_test))};
	return candidate;
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

std::vector<Candidate> candidates_of(const Taken &taken, const Lane &lane, Directory &directory)
{
	std::map<std::int64_t, std::size_t> places;
	Array ids;
	const auto ask_for = [&](std::int64_t delivery) {
		places.emplace(delivery, places.size());
		ids.add(delivery);
	};
	std::ranges::for_each(taken.waited, ask_for);
	std::ranges::for_each(taken.fresh, ask_for);
	std::vector<Candidate> candidates;
	find().execute(places.size(), {ids.value()}, [&](const Rows &rows) {
		for (std::uint64_t row = 0; row < rows.size(); ++row)
			candidates.push_back(candidate_at(rows, row, lane, directory));
	});
	std::ranges::sort(candidates, {},
		[&](const Candidate &candidate) { return places.at(candidate.claim.delivery); });
	look_for_changes(candidates);
	count_attempts(candidates, {taken.waited.begin(), taken.waited.end()});
	return candidates;
}

} // namespace automation::worker
