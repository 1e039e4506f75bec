#include "worker/circumstances.hpp"

#include <algorithm>

namespace automation::worker {

using pg::Rows;
using pg::Statement;

namespace {

Circumstances read()
{
	static Statement find(R"(
		SELECT NOT EXISTS (SELECT FROM automation._stranger()), w.identity, w.discarded_below,
			EXISTS (SELECT FROM automation.cap)
		FROM automation.worker AS w)");
	static Statement find_paused("SELECT server FROM automation.channel_state");
	const Rows rows = find.execute({});
	Circumstances found{.is_at_home = rows.boolean(0, 1),
		.identity = rows.text(0, 2).value_or(""),
		.discarded_below = rows.integer(0, 3),
		.has_caps = rows.boolean(0, 4)};
	std::erase(found.identity, '-');
	const Rows paused = find_paused.execute({});
	for (std::uint64_t row = 0; row < paused.size(); ++row)
		found.paused.insert(static_cast<pg::Oid>(paused.integer(row, 1)));
	return found;
}

} // namespace

const Circumstances &CircumstancesKept::current()
{
	if (is_known_ && basis_.stands())
		return known_;
	is_known_ = false;
	basis_ = {};
	for (const char *table : {"home", "worker", "cap", "channel_state"})
		basis_.rest_on_table(table);
	basis_.renew();
	known_ = read();
	is_known_ = true;
	return known_;
}

} // namespace automation::worker
