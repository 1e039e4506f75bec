#include "pg/postgres.hpp"

#include "pg/error.hpp"
#include "pg/sequence.hpp"

namespace automation::pg {

std::int64_t next_value(const char *sequence)
{
	return guard([&] {
		const Oid relation = get_relname_relid(sequence, get_namespace_oid("automation", false));
		return nextval_internal(relation, false);
	});
}

} // namespace automation::pg
