#include "engine/holds.hpp"

#include "pg/definitions.hpp"

#include <optional>
#include <utility>

namespace automation::engine {

using pg::Value;

namespace {

// Mostly there is none at all: a writer learns of it without a query.
bool there_are_some()
{
	static auto *basis = new std::optional<pg::Basis>; // of what is known
	static bool known = false;
	static pg::Statement any("SELECT EXISTS (SELECT FROM automation.hold)");
	if (!*basis || !(*basis)->stands()) {
		pg::Basis now;
		now.rest_on_table("hold");
		now.renew();
		pg::Spi spi;
		known = any.execute_fresh({}).boolean(0, 1);
		*basis = std::move(now);
	}
	return known;
}

} // namespace

bool is_held(int subject, const std::string &key, int rule)
{
	static pg::Statement held(
		"SELECT EXISTS (SELECT FROM automation.hold WHERE entity_id = $1 AND key = $2 "
		"AND (rule_id IS NULL OR rule_id = $3))");
	if (!there_are_some())
		return false;
	pg::Spi spi;
	return held.execute_fresh({Value::int4(subject), Value::text(key), Value::int4(rule)})
		.boolean(0, 1);
}

} // namespace automation::engine
