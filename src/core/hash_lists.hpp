// Numbers listed under hashes, of which there may be a hundred thousand in each of a hundred
// sessions: two flat arrays, and nothing allocated for one number.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace automation::core {

class HashLists {
public:
	void add(std::int64_t hash, int number)
	{
		entries_.push_back({hash, number, none});
		if (entries_.size() > heads_.size())
			rebuild();
		else
			link(entries_.size() - 1);
	}

	template <typename Visit> void visit(std::int64_t hash, Visit &&visit) const
	{
		if (entries_.empty())
			return;
		for (std::uint32_t at = heads_[place(hash)]; at != none; at = entries_[at].next)
			if (entries_[at].hash == hash)
				visit(static_cast<int>(entries_[at].number));
	}

private:
	static constexpr std::uint32_t none = UINT32_MAX;
	struct Entry {
		std::int64_t hash;
		std::int32_t number;
		std::uint32_t next; // of those in the same place
	};

	// The high bits of a product depend on all bits of the hash.
	std::size_t place(std::int64_t hash) const
	{
		return static_cast<std::size_t>(
			(static_cast<std::uint64_t>(hash) * 0x9e3779b97f4a7c15u) >> shift_);
	}

	void link(std::size_t entry)
	{
		std::uint32_t &head = heads_[place(entries_[entry].hash)];
		entries_[entry].next = head;
		head = static_cast<std::uint32_t>(entry);
	}

	void rebuild()
	{
		const std::size_t places = std::bit_ceil(entries_.size() + 1);
		shift_ = 64 - static_cast<int>(std::bit_width(places - 1));
		heads_.assign(places, none);
		for (std::size_t entry = 0; entry < entries_.size(); ++entry)
			link(entry);
	}

	std::vector<Entry> entries_;
	std::vector<std::uint32_t> heads_; // as many as there are places, a power of two
	int shift_ = 0;
};

} // namespace automation::core
