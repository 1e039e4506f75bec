// automation.changed(old, new): what `IS DISTINCT FROM` says, also for types without equality.
#include "pg/postgres.hpp"

#include "pg/changed.hpp"
#include "pg/error.hpp"

namespace automation::pg {

bool same_value(
	unsigned int type, unsigned int collation, std::uintptr_t before, std::uintptr_t after)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_EQ_OPR_FINFO);
	if (datum_image_eq(before, after, entry->typbyval, entry->typlen))
		return true;
	if (!OidIsValid(entry->eq_opr_finfo.fn_oid))
		return false;
	return DatumGetBool(FunctionCall2Coll(&entry->eq_opr_finfo, collation, before, after));
}

std::uintptr_t changed(FunctionCallInfoBaseData *call)
{
	const bool before_is_null = call->args[0].isnull, after_is_null = call->args[1].isnull;
	if (before_is_null || after_is_null)
		return BoolGetDatum(before_is_null != after_is_null);
	return guard([&] {
		const Oid type = get_fn_expr_argtype(call->flinfo, 0);
		if (!OidIsValid(type))
			elog(ERROR, "could not determine the type of the values compared");
		return BoolGetDatum(
			!same_value(type, call->fncollation, call->args[0].value, call->args[1].value));
	});
}

} // namespace automation::pg
