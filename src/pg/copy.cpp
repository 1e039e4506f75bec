#include "pg/body.hpp"

#include "pg/copy.hpp"
#include "pg/invocation.hpp"

namespace automation::pg {

namespace {

Oid copy(HeapTuple tuple, const char *name)
{
	const auto *function = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
	bool is_null = false;
	const ::Datum body = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosqlbody, &is_null);
	if (is_null)
		elog(ERROR, "function %u has no SQL body", function->oid);
	const ::Datum none = PointerGetDatum(nullptr);
	return ProcedureCreate(name, function->pronamespace, false, false, function->prorettype,
		GetUserId(), SQLlanguageId, F_FMGR_SQL_VALIDATOR, "", nullptr,
		static_cast<Node *>(stringToNode(TextDatumGetCString(body))), PROKIND_FUNCTION, false,
		false, false, function->provolatile, function->proparallel, buildoidvector(nullptr, 0),
		none, none, none, NIL, none, none, InvalidOid, function->procost, function->prorows)
		.objectId;
}

} // namespace

std::uintptr_t copy_compiled(FunctionCallInfoBaseData *call)
{
	const Oid function = oid_argument(call, 0);
	const std::string name = text_argument(call, 1);
	const char *copy_name = name.c_str();
	return guard([&] {
		HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for function %u", function);
		const Oid made = copy(tuple, copy_name);
		ReleaseSysCache(tuple);
		CommandCounterIncrement();
		return ObjectIdGetDatum(made);
	});
}

} // namespace automation::pg
