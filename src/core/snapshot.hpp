// A snapshot of PostgreSQL's, in the form in which pg_snapshot writes it: xmin:xmax:xip,xip,...
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

namespace automation::core {

class Snapshot {
public:
	using Transaction = std::uint64_t;

	explicit Snapshot(std::string_view text)
	{
		take_number(text); // all that is older is visible, and so not listed
		end_ = take_number(text);
		while (!text.empty())
			running_.push_back(take_number(text));
	}

	// The first that had not begun.
	Transaction end() const { return end_; }
	// Those that had begun and were not over, the oldest first.
	const std::vector<Transaction> &running() const { return running_; }
	bool shows(Transaction transaction) const
	{
		return transaction < end_ && !std::ranges::binary_search(running_, transaction);
	}

private:
	static Transaction take_number(std::string_view &text)
	{
		Transaction number = 0;
		const char *end = text.data() + text.size();
		const char *rest = std::from_chars(text.data(), end, number).ptr;
		text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
		text.remove_prefix(std::min<std::size_t>(1, text.size())); // what separates them
		return number;
	}

	Transaction end_;
	std::vector<Transaction> running_ = {};
};

} // namespace automation::core
