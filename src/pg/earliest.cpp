#include "pg/earliest.hpp"

#include <algorithm>

namespace automation::pg {

using std::chrono::microseconds;

namespace {

// Searches of all that take longer than that get one tenth of the time.
constexpr microseconds brief{1'000};
constexpr int share = 10;

} // namespace

void Earliest::search(Reading &rows, std::initializer_list<Value> equal, int column)
{
	const Clock::time_point begun = Clock::now();
	if (owed_ && begun >= searches_all_at_) {
		none_until_ = before_all;
		owed_ = false;
	}
	const bool searches_all = none_until_ == before_all;
	rows.seek(equal, searches_all ? std::nullopt : std::optional(instant(none_until_)));
	first_.reset();
	if (rows.next() && !rows.is_null(column))
		first_ = rows.integer(column);
	if (searches_all) {
		const Clock::time_point ended = Clock::now();
		searches_all_at_ = ended + share * (ended - begun - brief);
	}
	// What is entered from now on is not due before now.
	none_until_ = std::min(first_.value_or(never), present());
	if (none_until_ != before_all)
		--none_until_;
}

std::optional<microseconds> Earliest::wait() const
{
	std::optional<microseconds> wait;
	if (first_ && *first_ != never)
		wait = microseconds(std::max(*first_, present()) - present());
	if (owed_)
		wait = std::min(wait.value_or(microseconds::max()),
			std::chrono::ceil<microseconds>(std::max(searches_all_at_ - Clock::now(), {})));
	return wait;
}

} // namespace automation::pg
