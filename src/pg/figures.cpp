#include "pg/places.hpp"

#include "pg/figures.hpp"
#include "pg/invocation.hpp"

#include <optional>
#include <string>
#include <vector>

namespace automation::pg {

namespace {

char database[NAMEDATALEN] = ""; // in a worker

void add(pg_atomic_uint64 &figure, std::uint64_t many)
{
	pg_atomic_fetch_add_u64(&figure, static_cast<int64>(many));
}

// Channels beyond the last place share it, as number 0.
ChannelFigures &figures_of(Oid server)
{
	for (ChannelFigures &channel : mine->channel) {
		const Oid taken = pg_atomic_read_u32(&channel.server);
		if (taken == server)
			return channel;
		if (!OidIsValid(taken) && &channel != std::end(mine->channel) - 1) {
			pg_atomic_write_u32(&channel.server, server);
			return channel;
		}
	}
	return *(std::end(mine->channel) - 1);
}

std::string text_of(pg_atomic_uint64 &figure)
{
	return std::to_string(pg_atomic_read_u64(&figure));
}

std::string instant_text(pg_atomic_uint64 &instant)
{
	const auto value = static_cast<TimestampTz>(pg_atomic_read_u64(&instant));
	return guard([&] { return timestamptz_to_str(value); });
}

Place *place_of_this_database()
{
	Place *place = place_of(MyDatabaseId);
	return place && pg_atomic_read_u32(&place->state) == running ? place : nullptr;
}

} // namespace

void begin_figures()
{
	guard([] { strlcpy(database, get_database_name(MyDatabaseId), sizeof database); });
	const auto now = static_cast<uint64>(GetCurrentTimestamp());
	pg_atomic_write_u64(&mine->begun, now);
	pg_atomic_write_u64(&mine->seen, now);
	pg_atomic_write_u64(&mine->in_flight, 0);
	for (pg_atomic_uint64 &figure : mine->figure)
		pg_atomic_write_u64(&figure, 0);
	for (ChannelFigures &channel : mine->channel) {
		pg_atomic_write_u32(&channel.server, InvalidOid);
		for (pg_atomic_uint64 &figure : channel.figure)
			pg_atomic_write_u64(&figure, 0);
	}
}

void count(Oid server, ChannelFigure figure, std::uint64_t many)
{
	add(figures_of(server).figure[static_cast<int>(figure)], many);
}

void count(WorkerFigure figure, std::uint64_t many)
{
	add(mine->figure[static_cast<int>(figure)], many);
}

void report_in_flight(std::uint64_t requests)
{
	if (pg_atomic_exchange_u64(&mine->in_flight, requests) == requests)
		return;
	const std::string title =
		std::string(database) + ": " + std::to_string(requests) + " in flight";
	guard([&] { set_ps_display(title.c_str()); });
}

void report_alive()
{
	pg_atomic_write_u64(&mine->seen, static_cast<uint64>(GetCurrentTimestamp()));
}

Datum channel_figures_of_worker(FunctionCallInfo call)
{
	ResultSet result(call);
	Place *place = place_of_this_database();
	if (!place)
		return 0;
	for (ChannelFigures &channel : place->channel) {
		std::vector<std::optional<std::string>> row{
			std::to_string(pg_atomic_read_u32(&channel.server))};
		std::uint64_t all = 0;
		for (pg_atomic_uint64 &figure : channel.figure) {
			all += pg_atomic_read_u64(&figure);
			row.emplace_back(text_of(figure));
		}
		if (all > 0)
			result.add(row);
	}
	return 0;
}

Datum worker_figures_of_worker(FunctionCallInfo call)
{
	ResultSet result(call);
	Place *place = place_of_this_database();
	if (!place)
		return 0;
	const auto seen = static_cast<TimestampTz>(pg_atomic_read_u64(&place->seen));
	std::vector<std::optional<std::string>> row{instant_text(place->begun),
		std::to_string(TimestampDifferenceMilliseconds(seen, GetCurrentTimestamp())),
		text_of(place->in_flight)};
	for (pg_atomic_uint64 &figure : place->figure)
		row.emplace_back(text_of(figure));
	result.add(row);
	return 0;
}

} // namespace automation::pg
