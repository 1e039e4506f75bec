#include "pg/postgres.hpp"

#include "pg/definitions.hpp"
#include "pg/own_relation.hpp"

#include <map>

namespace automation::pg {

namespace {

struct Known {
	Oid relation;
	Basis basis; // falls when it is dropped or renamed, or the schema is
};

// Constructed on first use and never destroyed: a static with a destructor would run at exit.
std::map<std::string, Known, std::less<>> &known_ones()
{
	static auto *instance = new std::map<std::string, Known, std::less<>>;
	return *instance;
}

} // namespace

Oid own_relation(std::string_view name)
{
	auto &known = known_ones();
	const auto found = known.find(name);
	if (found != known.end() && found->second.basis.stands())
		return found->second.relation;
	const std::string written(name);
	const Oid relation = guard(
		[&] { return get_relname_relid(written.c_str(), get_namespace_oid("automation", true)); });
	if (OidIsValid(relation)) {
		Known now{relation, {}};
		now.basis.rest_on_relation(relation);
		now.basis.renew();
		known.insert_or_assign(written, std::move(now));
	}
	return relation;
}

} // namespace automation::pg
