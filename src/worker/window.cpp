#include "worker/window.hpp"

#include "core/snapshot.hpp"
#include "pg/volume.hpp"

#include <algorithm>
#include <memory>

namespace automation::worker {

using core::Snapshot;
using pg::Reading;
using pg::Value;

namespace {

// All volumes as one table: all are open before one is looked into, or what is carried over to
// another one meanwhile could be in none.
class Volumes {
public:
	explicit Volumes(const Lane &lane)
		: server_(Value::oid(lane.server)),
		  priority_(Value::int2(static_cast<std::int64_t>(lane.priority)))
	{
		for (int i = 0; i < pg::volumes; ++i)
			volumes_.push_back({std::make_unique<Reading>(pg::Target{"delivery", i},
				std::initializer_list<int>{
					delivery::server, delivery::priority, delivery::transaction, delivery::id})});
	}

	// Of one transaction, those with higher numbers.
	void seek_in(Snapshot::Transaction transaction, std::int64_t above)
	{
		for (Volume &volume : volumes_)
			volume.rows->seek({server_, priority_, Value::xid8(transaction)}, Value::int8(above));
		begin();
	}
	// Of all that have higher numbers.
	void seek_after(Snapshot::Transaction transaction)
	{
		for (Volume &volume : volumes_)
			volume.rows->seek({server_, priority_}, Value::xid8(transaction));
		begin();
	}

	// The row that is next in order; null: there is none.
	const Reading *row() const { return first_ ? first_->rows.get() : nullptr; }
	Snapshot::Transaction transaction() const { return first_->transaction; }
	void advance()
	{
		step(*first_);
		choose();
	}

private:
	struct Volume {
		std::unique_ptr<Reading> rows;
		bool is_over = false;
		Snapshot::Transaction transaction = 0;
		std::int64_t id = 0;
	};

	void begin()
	{
		std::ranges::for_each(volumes_, step);
		choose();
	}
	static void step(Volume &volume)
	{
		volume.is_over = !volume.rows->next();
		if (volume.is_over)
			return;
		volume.transaction =
			static_cast<Snapshot::Transaction>(volume.rows->integer(delivery::transaction));
		volume.id = volume.rows->integer(delivery::id);
	}
	void choose()
	{
		first_ = nullptr;
		for (Volume &volume : volumes_)
			if (!volume.is_over &&
				(!first_ ||
					std::pair(volume.transaction, volume.id) <
						std::pair(first_->transaction, first_->id)))
				first_ = &volume;
	}

	Value server_, priority_;
	std::vector<Volume> volumes_;
	Volume *first_ = nullptr;
};

} // namespace

std::vector<Stored> window(const Lane &lane, const std::string &until, int room)
{
	const Snapshot seen(lane.next.seen), now(until);
	const auto [position, id] = std::pair(lane.next.transaction, lane.next.id);
	Volumes volumes(lane);
	std::vector<Stored> found;
	const auto take = [&] {
		for (; volumes.row() && volumes.transaction() < now.end() && std::ssize(found) < room;
			 volumes.advance())
			if (now.shows(volumes.transaction()))
				found.push_back(stored_at(*volumes.row()));
	};
	for (const Snapshot::Transaction running : seen.running())
		if (running >= position && now.shows(running) && std::ssize(found) < room) {
			volumes.seek_in(running, running == position ? id : 0);
			take();
		}
	if (position >= seen.end()) {
		volumes.seek_in(position, id);
		take();
	}
	if (std::ssize(found) < room) {
		volumes.seek_after(std::max(position, seen.end() - 1));
		take();
	}
	return found;
}

} // namespace automation::worker
