// How many requests are under way, and how many more may be.
#pragma once

#include "pg/spi.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace automation::worker {

// Each channel may have as many requests under way as there are places free. So a channel alone has
// half of them, one of two a third, and however many channels hang, places are left for the next.
class Occupancy {
public:
	int room(pg::Oid server, int places) const
	{
		return std::max((places - total_ - of(server) + 1) / 2, 0);
	}
	int of(pg::Oid server) const { return count(by_server_, server); }
	int of(const std::string &host) const { return count(by_host_, host); }

	void enter(pg::Oid server, const std::string &host) { add(server, host, 1); }
	void leave(pg::Oid server, const std::string &host) { add(server, host, -1); }

private:
	template <typename Map> static int count(const Map &map, const typename Map::key_type &key)
	{
		const auto found = map.find(key);
		return found == map.end() ? 0 : found->second;
	}
	void add(pg::Oid server, const std::string &host, int one)
	{
		total_ += one;
		by_server_[server] += one;
		by_host_[host] += one;
	}

	int total_ = 0;
	std::unordered_map<pg::Oid, int> by_server_;
	std::unordered_map<std::string, int> by_host_;
};

} // namespace automation::worker
