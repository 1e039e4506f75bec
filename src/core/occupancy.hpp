// How many requests are under way, and how many more may be.
#pragma once

#include "core/priority.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace automation::core {

// Each channel may have as many requests under way as there are places free. So a channel alone has
// half of them, one of two a third, and however many channels hang, places are left for the next.
//
// Marketing shares half of the places, transactional messages all but a sixteenth, and what is less
// urgent counts only against what is free: so whatever hangs, there is room for what can wait less.
class Occupancy {
public:
	using Channel = std::uint32_t; // its server

	int room(Channel channel, Priority priority, int places) const
	{
		return share(total_, load(by_channel_, channel), priority, places);
	}
	// The same among the channels that lead to one host.
	int room(Channel channel, const std::string &host, Priority priority, int places) const
	{
		return share(load(by_host_, host), load(by_channel_, channel), priority, places);
	}
	int of(Channel channel) const { return count(load(by_channel_, channel)); }
	int of(const std::string &host) const { return count(load(by_host_, host)); }

	void enter(Channel channel, const std::string &host, Priority priority)
	{
		add(channel, host, priority, 1);
	}
	void leave(Channel channel, const std::string &host, Priority priority)
	{
		add(channel, host, priority, -1);
	}

private:
	using Load = std::array<int, priorities>;

	template <typename Map> static Load load(const Map &map, const typename Map::key_type &key)
	{
		const auto found = map.find(key);
		return found == map.end() ? Load{} : found->second;
	}
	// Of those that are at least so urgent.
	static int count(const Load &load, Priority least = Priority::marketing)
	{
		int sum = 0;
		for (std::size_t priority = 0; priority <= static_cast<std::size_t>(least); ++priority)
			sum += load[priority];
		return sum;
	}
	static int share(const Load &all, const Load &own, Priority priority, int places)
	{
		const int shared = places - reserve(priority, places);
		const int fair = (shared - count(all, priority) - count(own, priority) + 1) / 2;
		return std::max(std::min(fair, shared - count(all)), 0);
	}
	static int reserve(Priority priority, int places)
	{
		return priority == Priority::marketing	  ? places / 2
			: priority == Priority::transactional ? places / 16
												  : 0;
	}
	void add(Channel channel, const std::string &host, Priority priority, int one)
	{
		const auto place = static_cast<std::size_t>(priority);
		total_[place] += one;
		by_channel_[channel][place] += one;
		by_host_[host][place] += one;
	}

	Load total_ = {};
	std::unordered_map<Channel, Load> by_channel_;
	std::unordered_map<std::string, Load> by_host_;
};

} // namespace automation::core
