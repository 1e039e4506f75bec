#include "worker/outbox.hpp"

#include "pg/channel.hpp"
#include "worker/array.hpp"
#include "worker/claim.hpp"
#include "worker/due.hpp"
#include "worker/settlement.hpp"
#include "worker/taking.hpp"

#include <algorithm>
#include <span>

namespace automation::worker {

using pg::Rows;
using pg::Statement;
using pg::Value;

namespace {

// Through messages that only end, or wait: they are not worth a turn for each group.
constexpr std::chrono::milliseconds longest_in_vain{50};

pg::Oid oid_at(const Rows &rows, std::uint64_t row, int column)
{
	return static_cast<pg::Oid>(rows.integer(row, column));
}

} // namespace

Leftovers Outbox::open(Directory &directory)
{
	static Statement begin(
		"UPDATE automation.worker SET epoch = epoch + 1 RETURNING epoch, settled_below");
	const Rows worker = begin.execute({});
	epoch_ = worker.integer(0, 1);
	const std::int64_t settled_below = worker.integer(0, 2);
	read_lanes();
	std::vector<Settlement> lost = settle_lost(settled_below, directory);
	const std::size_t recorded = put_locked_last(lost);
	record(std::span(lost).first(recorded));
	const auto retried = std::ranges::count_if(
		lost, [](const Settlement &settlement) { return settlement.retry_in.has_value(); });
	return {.retried = retried,
		.held = std::ssize(lost) - retried,
		.locked = {lost.begin() + static_cast<std::ptrdiff_t>(recorded), lost.end()}};
}

void Outbox::read_lanes()
{
	static Statement find("SELECT server, seen, until, txid, id, priority FROM automation.lane");
	const Rows lanes = find.execute({});
	lanes_.clear();
	for (std::uint64_t row = 0; row < lanes.size(); ++row) {
		lanes_.push_back({.server = oid_at(lanes, row, 1),
			.priority = static_cast<core::Priority>(lanes.integer(row, 6))});
		lanes_.back().position = lanes_.back().next = {.seen = *lanes.text(row, 2),
			.until = lanes.text(row, 3),
			.transaction = static_cast<std::uint64_t>(lanes.integer(row, 4)),
			.id = lanes.integer(row, 5)};
		lanes_.back().again = lanes_.back().next_again = lanes_.back().position.until ? 2 : 1;
	}
	find_lanes();
}

void Outbox::add_lane(pg::Oid server, core::Priority priority)
{
	if (std::ranges::none_of(lanes_,
			[&](const Lane &lane) { return lane.server == server && lane.priority == priority; }))
		lanes_.push_back({.server = server, .priority = priority});
}

std::vector<Lane *> Outbox::lanes()
{
	if (!lanes_.empty())
		std::rotate(lanes_.begin(), lanes_.begin() + 1, lanes_.end());
	std::vector<Lane *> in_order;
	for (Lane &lane : lanes_)
		in_order.push_back(&lane);
	std::ranges::stable_sort(in_order, {}, [](const Lane *lane) { return lane->priority; });
	return in_order;
}

const Circumstances &Outbox::circumstances()
{
	const Circumstances &current = circumstances_.current();
	if (current.is_at_home && away_) {
		read_lanes(); // whoever has adopted it may have changed them
		find_channels();
	}
	away_ = !current.is_at_home;
	return current;
}

void Outbox::find_channels()
{
	for (const pg::Oid server : pg::channel_servers())
		add_lane(server, core::Priority::transactional);
}

bool Outbox::find_lanes()
{
	const std::size_t before = lanes_.size();
	for (const Lane &lane : lanes_of_deliveries())
		add_lane(lane.server, lane.priority);
	return lanes_.size() > before;
}

std::vector<Claim> Outbox::claim(
	Lane &lane, int places, int ahead, const std::string &now_visible, Directory &directory)
{
	const auto end = std::chrono::steady_clock::now() + longest_in_vain;
	std::vector<Claim> claims;
	do
		claims = admit(take(lane, places + ahead, now_visible), places, lane, epoch_,
			circumstances_.current(), directory);
	while (claims.empty() && lane.backlog && std::chrono::steady_clock::now() < end);
	return claims;
}

bool Outbox::has_news_of_limits() const
{
	return std::ranges::any_of(lanes_, [](const Lane &lane) {
		return lane.next.limited_by != (lane.saved ? lane.saved->limited_by : std::nullopt);
	});
}

void Outbox::save(std::int64_t settled_below)
{
	static Statement lanes(R"(
		INSERT INTO automation.lane AS l (server, priority, seen, until, txid, id, limited_by)
		SELECT * FROM unnest($1::oid[], $2::smallint[], $3::pg_snapshot[], $4::pg_snapshot[],
			$5::xid8[], $6::bigint[], $7::text[])
		ON CONFLICT (server, priority) DO UPDATE
		SET seen = excluded.seen, until = excluded.until, txid = excluded.txid, id = excluded.id,
			limited_by = excluded.limited_by)");
	static Statement worker(
		"UPDATE automation.worker SET settled_below = $1 WHERE settled_below <> $1");
	Array servers, priorities, seen, until, txids, ids, reasons;
	for (Lane &lane : lanes_) {
		if (lane.saved == lane.next)
			continue;
		servers.add(static_cast<std::int64_t>(lane.server));
		priorities.add(static_cast<std::int64_t>(lane.priority));
		seen.add(lane.next.seen);
		until.add(lane.next.until);
		txids.add(static_cast<std::int64_t>(lane.next.transaction));
		ids.add(lane.next.id);
		reasons.add(lane.next.limited_by);
		lane.saved = lane.next;
	}
	if (!servers.is_empty())
		lanes.execute({servers.value(), priorities.value(), seen.value(), until.value(),
			txids.value(), ids.value(), reasons.value()});
	worker.execute({Value::int8(settled_below)});
}

std::optional<std::chrono::milliseconds> Outbox::next_due(const std::vector<Lane *> &lanes)
{
	std::optional<std::chrono::microseconds> first;
	for (Lane *lane : lanes)
		if (const auto due = worker::next_due(*lane))
			first = std::min(first.value_or(*due), *due);
	if (!first)
		return std::nullopt;
	return std::chrono::ceil<std::chrono::milliseconds>(*first);
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
		lane.due.forget();
	}
}

} // namespace automation::worker
