#include "worker/lane.hpp"

namespace automation::worker {

using pg::Rows;
using pg::Statement;

// Each pair of the index's first columns by one probe.
std::vector<Lane> lanes_of_deliveries()
{
	static Statement find(R"(
		WITH RECURSIVE l (server, priority) AS (
			(SELECT d.server, d.priority FROM automation.delivery AS d
			WHERE d.server > 0 ORDER BY d.server, d.priority LIMIT 1)
			UNION ALL
			SELECT n.server, n.priority
			FROM l
			CROSS JOIN LATERAL (
				SELECT d.server, d.priority FROM automation.delivery AS d
				WHERE (d.server, d.priority) > (l.server, l.priority)
				ORDER BY d.server, d.priority LIMIT 1) AS n)
		SELECT l.server, l.priority FROM l)");
	const Rows rows = find.execute({});
	std::vector<Lane> lanes;
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		lanes.push_back({.server = static_cast<pg::Oid>(rows.integer(row, 1)),
			.priority = static_cast<core::Priority>(rows.integer(row, 2))});
	return lanes;
}

} // namespace automation::worker
