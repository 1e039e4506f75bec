#include "pg/postgres.hpp"

#include "pg/error.hpp"
#include "pg/own_relation.hpp"
#include "pg/sequence.hpp"

namespace automation::pg {

std::int64_t next_value(const char *sequence)
{
	const Oid relation = own_relation(sequence);
	return guard([&] { return nextval_internal(relation, false); });
}

} // namespace automation::pg
