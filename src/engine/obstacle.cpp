#include "engine/obstacle.hpp"

#include "engine/reader.hpp"
#include "pg/identity.hpp"

namespace automation::engine {

namespace {

constexpr const char *no_obstacle = "00000";

struct Present {
	pg::Oid relation;
	int version;
};

std::optional<Present> present_of(int rule)
{
	static pg::Statement present(
		"SELECT event_relation::oid, version FROM automation.rule WHERE id = $1");
	pg::Spi spi;
	const pg::Rows found = present.execute_fresh({pg::Value::int4(rule)});
	if (found.size() == 0)
		return std::nullopt;
	return Present{
		static_cast<pg::Oid>(found.integer(0, 1)), static_cast<int>(found.integer(0, 2))};
}

} // namespace

std::optional<std::string> obstacle_to(int id)
{
	const std::optional<Present> present = present_of(id);
	const std::unique_ptr<Rule> rule = present ? read_rule(id, present->version) : nullptr;
	if (!rule)
		return std::nullopt;
	// Undone in any case, so that whoever asks keeps no lock on what the rule would touch.
	const auto error = pg::subtransaction([&] {
		const pg::RowType type(present->relation);
		rule->visit_parts([&](const Part &part) {
			if (part)
				compiled(*rule, part, type);
		});
		pg::fail(no_obstacle, "the rule can run");
	});
	return error && error->sqlstate() != no_obstacle ? std::optional(error->message())
													 : std::nullopt;
}

} // namespace automation::engine
