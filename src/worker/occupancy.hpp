// How many requests are under way, and how many more may be.
#pragma once

#include "pg/spi.hpp"

#include <algorithm>
#include <unordered_map>

namespace automation::worker {

// Each channel may have as many requests under way as there are places free. So a channel alone has
// half of them, one of two a third, and however many channels hang, places are left for the next.
class Occupancy {
public:
	int room(pg::Oid server, int places) const
	{
		const auto found = by_server_.find(server);
		const int own = found == by_server_.end() ? 0 : found->second;
		return std::max((places - total_ - own + 1) / 2, 0);
	}
	void enter(pg::Oid server)
	{
		++total_;
		++by_server_[server];
	}
	void leave(pg::Oid server)
	{
		--total_;
		--by_server_[server];
	}

private:
	int total_ = 0;
	std::unordered_map<pg::Oid, int> by_server_;
};

} // namespace automation::worker
