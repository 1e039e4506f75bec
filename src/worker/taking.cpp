#include "worker/taking.hpp"

#include "pg/volume.hpp"
#include "pg/workers.hpp"
#include "worker/due.hpp"
#include "worker/window.hpp"

#include <algorithm>
#include <iterator>
#include <memory>

namespace automation::worker {

using pg::Value;

namespace {

// Its columns.
namespace attempt {
enum : int { id = 1, delivery };
}

void drop(std::vector<Stored> &deliveries, std::int64_t id)
{
	std::erase_if(deliveries, [&](const Stored &delivery) { return delivery.id == id; });
}

// Whether something has been done about a message: there is an attempt, or it waits.
class Begun {
public:
	Begun() : waiting_({"retry"}, {retry::delivery})
	{
		for (int i = 0; i < pg::volumes; ++i)
			attempts_.push_back(std::make_unique<pg::Reading>(pg::Target{"attempt", i},
				std::initializer_list<int>{attempt::delivery, attempt::id}));
	}

	bool has(std::int64_t id)
	{
		return is_in(waiting_, id) ||
			std::ranges::any_of(attempts_, [&](const auto &volume) { return is_in(*volume, id); });
	}

private:
	static bool is_in(pg::Reading &rows, std::int64_t id)
	{
		rows.seek({Value::int8(id)});
		return rows.next();
	}

	pg::Reading waiting_;
	std::vector<std::unique_ptr<pg::Reading>> attempts_;
};

// Leaves those about which nothing has been done yet.
void drop_begun(std::vector<Stored> &deliveries)
{
	Begun begun;
	std::erase_if(deliveries, [&](const Stored &delivery) { return begun.has(delivery.id); });
}

// Reads a window and moves the position behind it.
void take_new(Lane &lane, int room, const std::string &now_visible, Taken &taken)
{
	const bool continues = lane.next.until.has_value();
	const std::string until = lane.next.until.value_or(now_visible);
	lane.backlog = false;
	if (until == lane.next.seen)
		return;
	std::vector<Stored> found = window(lane, until, room);
	const bool more = found.size() == static_cast<std::size_t>(room);
	if (more)
		lane.next = {.seen = lane.next.seen,
			.until = until,
			.transaction = found.back().transaction,
			.id = found.back().id,
			.limited_by = lane.next.limited_by};
	if (lane.next_again > 0) {
		drop_begun(found);
		for (const std::int64_t waited : taken.waited)
			drop(found, waited); // its turn has come just now
	}
	std::ranges::move(found, std::back_inserter(taken.fresh));
	lane.backlog = more || continues; // what came since that batch began
	if (more)
		return;
	lane.next = {.seen = until, .limited_by = lane.next.limited_by};
	lane.next_again = std::max(lane.next_again - 1, 0);
}

} // namespace

Taken take(Lane &lane, int room, const std::string &now_visible)
{
	lane.backlog = true;
	const bool undisturbed = pg::claims_undisturbed(); // from before they are read
	Taken taken{.waited = take_due(lane, room), .undisturbed = undisturbed};
	const int left = room - static_cast<int>(taken.waited.size());
	while (left > 0 && lane.backlog && taken.fresh.empty())
		take_new(lane, left, now_visible, taken);
	return taken;
}

} // namespace automation::worker
