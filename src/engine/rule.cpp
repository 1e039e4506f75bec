#include "engine/rule.hpp"

namespace automation::engine {

std::unique_ptr<pg::Expression> compiled(
	const Rule &rule, const Part &part, const pg::RowType &type)
{
	pg::require_role(rule.owner);
	const pg::ActAs identity(rule.owner, pg::ActAs::Manner::restricted, rule.search_path);
	return std::make_unique<pg::Expression>(part.function, type);
}

} // namespace automation::engine
