#include "engine/obstacle.hpp"

#include "engine/rulebook.hpp"
#include "pg/identity.hpp"

namespace automation::engine {

namespace {

struct Place {
	int entity;
	int version;
};

std::optional<Place> place_of(int rule)
{
	static pg::Statement present(
		"SELECT e.id, r.version FROM automation.rule r JOIN automation.entity e "
		"ON e.relation = r.event_relation WHERE r.id = $1");
	pg::Spi spi;
	const pg::Rows found = present.execute_fresh({pg::Value::int4(rule)});
	if (found.size() == 0)
		return std::nullopt;
	return Place{static_cast<int>(found.integer(0, 1)), static_cast<int>(found.integer(0, 2))};
}

} // namespace

std::optional<std::string> obstacle_to(int id)
{
	const std::optional<Place> place = place_of(id);
	if (!place)
		return std::nullopt;
	const Rulebook book;
	Chapter &chapter = book.chapter(place->entity);
	Rule *rule = chapter.find(id, place->version);
	if (!rule)
		return std::nullopt;
	const auto error = pg::subtransaction([&] {
		rule->visit_parts([&](Part &part) {
			if (part)
				chapter.check(*rule, part);
		});
	});
	return error ? std::optional(error->message()) : std::nullopt;
}

} // namespace automation::engine
