#include "worker/claim.hpp"

#include "pg/clock.hpp"
#include "pg/insertion.hpp"
#include "pg/sequence.hpp"
#include "pg/volume.hpp"
#include "worker/array.hpp"
#include "worker/letter.hpp"
#include "worker/queue.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace automation::worker {

using pg::Rows;
using pg::Statement;
using pg::Value;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds soon{200};

bool begins(const core::Admission &admission)
{
	return admission.state == core::State::in_flight;
}

// Who calls messages back locks them first. The row's lock is what decides which of us comes first,
// and costs the worker nothing while nobody does.
std::vector<std::int64_t> not_called_back(std::vector<std::int64_t> deliveries, const Lane &lane)
{
	static Statement lock("SELECT d.id FROM automation.delivery AS d "
						  "WHERE d.id = ANY ($1::bigint[]) FOR SHARE SKIP LOCKED",
		Statement::Plan::by_index);
	Array wanted;
	for (const std::int64_t delivery : deliveries)
		wanted.add(delivery);
	const Rows rows = lock.execute({wanted.value()});
	std::set<std::int64_t> free;
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		free.insert(rows.integer(row, 1));
	std::vector<Postponed> later;
	std::erase_if(deliveries, [&](std::int64_t delivery) {
		if (!free.contains(delivery))
			later.push_back({delivery, "somebody is about to call it back, or to erase it", soon});
		return !free.contains(delivery);
	});
	postpone(lane, later);
	return deliveries;
}

// As they are now, in their order: what others may have changed is read when it is locked.
std::vector<Stored> read(Taken taken, const Lane &lane)
{
	if (taken.undisturbed && taken.waited.empty())
		return std::move(taken.fresh);
	std::vector<std::int64_t> order = taken.waited;
	for (const Stored &delivery : taken.fresh)
		order.push_back(delivery.id);
	if (!taken.undisturbed) {
		order = not_called_back(std::move(order), lane);
		taken = {.waited = order};
	}
	std::map<std::int64_t, std::size_t> places;
	for (const std::int64_t delivery : order)
		places.emplace(delivery, places.size());
	std::vector<Stored> deliveries = stored(taken.waited);
	std::ranges::move(taken.fresh, std::back_inserter(deliveries));
	std::ranges::sort(
		deliveries, {}, [&](const Stored &delivery) { return places.at(delivery.id); });
	return deliveries;
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
		if (begins(candidate.admission) && !candidate.counted)
			first.add(candidate.claim.delivery);
	const std::map<std::int64_t, core::Cap> caps = over_caps(first);
	for (Candidate &candidate : candidates)
		if (const auto found = caps.find(candidate.claim.delivery); found != caps.end()) {
			candidate.known.cap = found->second;
			candidate.admission = core::admit(candidate.known);
		}
}

// An attempt that is committed counts as begun: what is not to be sent twice waits for its place.
void keep_for_places(std::vector<Candidate> &candidates, int places)
{
	for (Candidate &candidate : candidates) {
		const bool has_place = !begins(candidate.admission) || places-- > 0;
		if (!has_place && candidate.claim.policy.unknown == core::RetryPolicy::Unknown::hold)
			candidate.admission = {.state = core::State::ready,
				.reason = "others are being sent",
				.wait = milliseconds(0)};
	}
}

std::vector<Candidate> judge(Taken taken, int places, const Lane &lane,
	const Circumstances &circumstances, Directory &directory)
{
	const std::set<std::int64_t> waited(taken.waited.begin(), taken.waited.end());
	std::vector<Candidate> candidates =
		candidates_of(read(std::move(taken), lane), waited, lane, circumstances, directory);
	keep_order(candidates);
	for (Candidate &candidate : candidates)
		candidate.admission = core::admit(candidate.known);
	keep_for_places(candidates, places);
	if (circumstances.has_caps)
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
	for (auto &[claim, known, counted, watched, admission] : candidates) {
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

std::vector<Claim> admit(Taken taken, int places, const Lane &lane, std::int64_t epoch,
	const Circumstances &circumstances, Directory &directory)
{
	if (taken.size() == 0)
		return {};
	std::vector<Candidate> candidates =
		judge(std::move(taken), places, lane, circumstances, directory);
	put_off(lane, candidates);
	write_attempts(candidates, epoch);
	std::vector<Claim> claims;
	std::vector<Origin> ended;
	Array ended_in_order;
	for (auto &[claim, known, counted, watched, admission] : candidates) {
		if (begins(admission)) {
			claims.push_back(std::move(claim));
			continue;
		}
		ended.push_back(claim.origin);
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
			(d.message ->> 'ordered')::boolean, d.run_id, d.step
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
			.origin = {.run = rows.integer(row, 11),
				.step = static_cast<int>(rows.integer(row, 12))},
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
