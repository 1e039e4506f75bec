#include "engine/passage.hpp"

#include "core/failure.hpp"
#include "engine/agenda.hpp"
#include "engine/due.hpp"
#include "pg/clock.hpp"
#include "pg/identity.hpp"

#include <algorithm>

namespace automation::engine {

int advance(pg::Datum interval)
{
	if (pg::later(0, interval) < 0)
		throw core::Failure("22023", "time does not go back");
	static pg::Statement next("SELECT min(due_at) FROM automation.pending WHERE due_at > $1");
	const pg::Instant end = pg::later(pg::present(), interval);
	int count = 0;
	for (;;) {
		pg::set_clock(pg::present());
		while (const int done = tick(1000))
			count += done;
		pg::Spi spi;
		const pg::Rows found = next.execute({pg::instant(pg::present())});
		if (found.is_null(0, 1) || found.integer(0, 1) > end)
			break;
		pg::set_clock(found.integer(0, 1));
	}
	pg::set_clock(end);
	return count;
}

void advance_own(std::int64_t since, pg::Datum interval)
{
	const pg::ActAs identity = pg::ActAs::engine();
	const pg::Instant end = pg::later(pg::present(), interval);
	pg::set_clock(pg::present());
	for (;;) {
		for (const Task &task : own_touched(since))
			settle(task);
		const std::vector<Task> next = own_due(since, end);
		if (next.empty())
			break;
		pg::set_clock(std::max(next.front().due, pg::present()));
		if (!perform(next.front()))
			break;
	}
	pg::set_clock(end);
}

} // namespace automation::engine
