// The first time that is left in an index of times. While somebody's snapshot is held, all that has
// been taken since stays in the index: a search begins where the last one ended.
#pragma once

#include "pg/clock.hpp"
#include "pg/reading.hpp"

#include <chrono>
#include <initializer_list>
#include <optional>

namespace automation::pg {

class Earliest {
public:
	// In the column of the table whose index has these columns before it, in rows with these values
	// there. What was found holds until rows are taken, or entered.
	void search(Reading &rows, std::initializer_list<Value> equal, int column);
	// Somebody may have entered one whose time is past: soon, or as soon as it is not too dear, a
	// search begins before all.
	void search_all() { owed_ = true; }
	// What has been taken is there again.
	void forget() { none_until_ = before_all; }

	bool is_due() const { return first_ && *first_ <= present(); }
	// Until one is due, or another search is owed; none: nothing waits.
	std::optional<std::chrono::microseconds> wait() const;
	Instant none_until() const { return none_until_; } // none that was there is due by then

private:
	using Clock = std::chrono::steady_clock;
	Instant none_until_ = before_all;
	std::optional<Instant> first_ = {};
	bool owed_ = false;
	Clock::time_point searches_all_at_ = {}; // at the earliest
};

} // namespace automation::pg
