#include "pg/body.hpp"

namespace automation::pg {

namespace {

// Where a query names the row before and after the change, and how deep below it we are.
struct Images {
	Index varno[new_parameter + 1] = {};
	Oid row_type[new_parameter + 1] = {};
	Index depth = 0;
};

int image_number(const RangeTblEntry *entry)
{
	if (entry->rtekind != RTE_RELATION)
		return 0;
	if (strcmp(entry->eref->aliasname, "old") == 0)
		return old_parameter;
	return strcmp(entry->eref->aliasname, "new") == 0 ? new_parameter : 0;
}

Node *parameter(int number, Oid type)
{
	Param *parameter = makeNode(Param);
	parameter->paramkind = PARAM_EXTERN;
	parameter->paramid = number;
	parameter->paramtype = type;
	parameter->paramtypmod = parameter->location = -1;
	return reinterpret_cast<Node *>(parameter);
}

Node *field_of(Node *row, const Var *column)
{
	FieldSelect *field = makeNode(FieldSelect);
	field->arg = reinterpret_cast<Expr *>(row);
	field->fieldnum = column->varattno;
	field->resulttype = column->vartype;
	field->resulttypmod = column->vartypmod;
	field->resultcollid = column->varcollid;
	return reinterpret_cast<Node *>(field);
}

Node *to_parameters(Node *node, void *context)
{
	if (!node)
		return nullptr;
	auto *images = static_cast<Images *>(context);
	if (IsA(node, Var)) {
		const auto *column = castNode(Var, node);
		for (int number = old_parameter; number <= new_parameter; ++number)
			if (column->varlevelsup == images->depth &&
				static_cast<Index>(column->varno) == images->varno[number]) {
				if (column->varattno == SelfItemPointerAttributeNumber)
					return parameter(place_parameter, TIDOID);
				if (column->varattno == TableOidAttributeNumber)
					return parameter(table_parameter, OIDOID);
				Node *row = parameter(number, images->row_type[number]);
				return column->varattno == InvalidAttrNumber ? row : field_of(row, column);
			}
		return copy_of(node);
	}
	if (IsA(node, Query)) {
		++images->depth;
		Query *query = query_tree_mutator(
			castNode(Query, node), untyped<Node *(*)()>(to_parameters), context, 0);
		--images->depth;
		return reinterpret_cast<Node *>(query);
	}
	return expression_tree_mutator(node, untyped<Node *(*)()>(to_parameters), context);
}

// FROM t AS old, t AS new: the two leave the clause, and what was a column of theirs becomes a
// field of the parameter $1 or $2. The images up to the last one do so.
Query *with_parameters(Query *query, int last = new_parameter)
{
	Images images;
	List *left = NIL;
	for (int i = 0; i < list_length(query->jointree->fromlist); ++i) {
		auto *item = static_cast<Node *>(list_nth(query->jointree->fromlist, i));
		const Index varno =
			IsA(item, RangeTblRef) ? static_cast<Index>(castNode(RangeTblRef, item)->rtindex) : 0;
		const int number = varno ? image_number(rt_fetch(varno, query->rtable)) : 0;
		if (number == 0 || number > last) {
			left = lappend(left, item);
			continue;
		}
		images.varno[number] = varno;
		images.row_type[number] = get_rel_type_id(rt_fetch(varno, query->rtable)->relid);
	}
	query->jointree->fromlist = left;
	return query_tree_mutator(query, untyped<Node *(*)()>(to_parameters), &images, 0);
}

RangeTblEntry *source_of(Query *insert)
{
	return rt_fetch(
		linitial_node(RangeTblRef, insert->jointree->fromlist)->rtindex, insert->rtable);
}

// As PostgreSQL keeps it.
Query *stored_query_of(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION),
			errmsg("a compiled function of the rule does not exist"));
	bool is_null = false;
	const Datum source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosqlbody, &is_null);
	if (is_null)
		elog(ERROR, "function %u has no SQL body", function);
	Node *body = static_cast<Node *>(stringToNode(TextDatumGetCString(source)));
	ReleaseSysCache(tuple);
	if (IsA(body, List)) // one list of statements, for each the list of its queries
		body = static_cast<Node *>(linitial(linitial_node(List, castNode(List, body))));
	return castNode(Query, body);
}

} // namespace

namespace {

// What stands in WITH has images of its own.
Query *with_parameters_throughout(Query *query)
{
	for (int i = 0; i < list_length(query->cteList); ++i) {
		auto *part = list_nth_node(CommonTableExpr, query->cteList, i);
		part->ctequery =
			reinterpret_cast<Node *>(with_parameters_throughout(castNode(Query, part->ctequery)));
	}
	if (query->commandType != CMD_INSERT)
		return with_parameters(query);
	source_of(query)->subquery = with_parameters(source_of(query)->subquery);
	return query;
}

} // namespace

Query *body_of(Oid function)
{
	return with_parameters_throughout(stored_query_of(function));
}

Query *count_query_of(Oid condition)
{
	Query *query = with_parameters(stored_query_of(condition), old_parameter);
	auto *target = linitial_node(TargetEntry, query->targetList);
	query->jointree->quals = reinterpret_cast<Node *>(target->expr);
	Aggref *count = makeNode(Aggref);
	count->aggfnoid = F_COUNT_;
	count->aggtype = INT8OID;
	count->aggtranstype = InvalidOid;
	count->aggstar = true;
	count->aggkind = AGGKIND_NORMAL;
	count->aggsplit = AGGSPLIT_SIMPLE;
	count->aggno = count->aggtransno = count->location = -1;
	target->expr = reinterpret_cast<Expr *>(count);
	query->hasAggs = true;
	return query;
}

List *conjuncts_in(Node *condition)
{
	List *flat = NIL;
	List *conjuncts = make_ands_implicit(reinterpret_cast<Expr *>(condition));
	for (int i = 0; i < list_length(conjuncts); ++i) {
		auto *conjunct = static_cast<Node *>(list_nth(conjuncts, i));
		flat = is_andclause(conjunct) ? list_concat(flat, conjuncts_in(conjunct))
									  : lappend(flat, conjunct);
	}
	return flat;
}

void keep_conjunct(Query *query, int number)
{
	auto *target = linitial_node(TargetEntry, query->targetList);
	List *conjuncts = conjuncts_in(reinterpret_cast<Node *>(target->expr));
	target->expr = static_cast<Expr *>(list_nth(conjuncts, number - 1));
	target->resname = pstrdup("holds");
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
