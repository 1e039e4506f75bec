#include "pg/body.hpp"

namespace automation::pg {

Query *body_of(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
			errmsg("compiled function with OID %u does not exist", function));
	bool is_null;
	const Datum source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosqlbody, &is_null);
	if (is_null)
		elog(ERROR, "function %u has no SQL body", function);
	Node *body = static_cast<Node *>(stringToNode(TextDatumGetCString(source)));
	ReleaseSysCache(tuple);
	if (IsA(body, List)) // one list of statements, for each the list of its queries
		body = static_cast<Node *>(linitial(linitial_node(List, castNode(List, body))));
	return castNode(Query, body);
}

Oid changed_function()
{
	const Oid any[] = {ANYELEMENTOID, ANYELEMENTOID};
	List *name = list_make2(makeString(pstrdup("automation")), makeString(pstrdup("changed")));
	return LookupFuncName(name, 2, any, true);
}

const char *qualified_text(Query *query)
{
	OverrideSearchPath nothing{};
	PushOverrideSearchPath(&nothing);
	const char *text = pg_get_querydef(copy_of(query), false);
	PopOverrideSearchPath();
	return text;
}

} // namespace automation::pg
