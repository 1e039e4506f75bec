#include "pg/body.hpp"

#include "pg/compiled.hpp"

namespace automation::pg {

namespace {

std::string column_name(const FieldSelect *field)
{
	return guard([&]() -> const char * {
		const Oid relation = get_typ_typrelid(exprType(reinterpret_cast<Node *>(field->arg)));
		return get_attname(relation, field->fieldnum, false);
	});
}

bool is_parameter_field(Node *node)
{
	return node && IsA(node, FieldSelect) && IsA(castNode(FieldSelect, node)->arg, Param);
}

// Collects old.x and new.x wherever they stand, sub-queries included.
bool collect_fields(Node *node, void *list)
{
	if (!node)
		return false;
	if (is_parameter_field(node)) {
		auto **fields = static_cast<List **>(list);
		*fields = lappend(*fields, node);
		return false;
	}
	if (IsA(node, Query))
		return query_tree_walker(
			castNode(Query, node), untyped<bool (*)()>(collect_fields), list, 0);
	return expression_tree_walker(node, untyped<bool (*)()>(collect_fields), list);
}

void require_select(Oid relation, AttrNumber column)
{
	if (pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return;
	if (column == InvalidAttrNumber) // the row as a whole
		aclcheck_error(pg_attribute_aclcheck_all(relation, GetUserId(), ACL_SELECT, ACLMASK_ALL),
			OBJECT_TABLE, get_rel_name(relation));
	else if (pg_attribute_aclcheck(relation, column, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error_col(ACLCHECK_NO_PRIV, OBJECT_COLUMN, get_rel_name(relation),
			get_attname(relation, column, false));
}

bool require_fields(Node *node, void *unused)
{
	if (!node)
		return false;
	if (is_parameter_field(node)) {
		const auto *field = castNode(FieldSelect, node);
		const auto *row = castNode(Param, field->arg);
		require_select(get_typ_typrelid(row->paramtype), field->fieldnum);
		return false;
	}
	if (IsA(node, Param) && OidIsValid(get_typ_typrelid(castNode(Param, node)->paramtype)))
		require_select(get_typ_typrelid(castNode(Param, node)->paramtype), InvalidAttrNumber);
	if (IsA(node, Query))
		return query_tree_walker(
			castNode(Query, node), untyped<bool (*)()>(require_fields), unused, 0);
	return expression_tree_walker(node, untyped<bool (*)()>(require_fields), unused);
}

// a AND (b AND c) is three conjuncts, as the planner would see them.
List *flattened(List *conjuncts)
{
	List *flat = NIL;
	for (int i = 0; i < list_length(conjuncts); ++i) {
		auto *conjunct = static_cast<Node *>(list_nth(conjuncts, i));
		if (is_andclause(conjunct))
			flat = list_concat(flat, flattened(castNode(BoolExpr, conjunct)->args));
		else
			flat = lappend(flat, conjunct);
	}
	return flat;
}

List *top_conjuncts(Query *body)
{
	auto *target = linitial_node(TargetEntry, body->targetList);
	return flattened(make_ands_implicit(copy_of(target->expr)));
}

const char *conjunct_text(Query *body, Node *conjunct)
{
	Query *query = copy_of(body);
	query->targetList =
		list_make1(makeTargetEntry(reinterpret_cast<Expr *>(conjunct), 1, pstrdup("holds"), false));
	return qualified_text(query);
}

} // namespace

std::vector<NamedColumn> named_columns(Oid function)
{
	List *pairs = guard([&]() -> List * {
		auto *target = linitial_node(TargetEntry, body_of(function)->targetList);
		return IsA(target->expr, FuncExpr) ? castNode(FuncExpr, target->expr)->args : NIL;
	});
	std::vector<NamedColumn> columns;
	for (int i = 0; i + 1 < list_length(pairs); i += 2) {
		auto *name = static_cast<Node *>(list_nth(pairs, i));
		auto *field = static_cast<Node *>(list_nth(pairs, i + 1));
		if (!IsA(name, Const) || !is_parameter_field(field))
			continue;
		const char *role = guard([&]() -> const char * {
			return TextDatumGetCString(castNode(Const, name)->constvalue);
		});
		columns.push_back({role, column_name(castNode(FieldSelect, field))});
	}
	return columns;
}

std::vector<Conjunct> conjuncts_of(Oid function)
{
	Query *body = guard([&] { return body_of(function); });
	List *conjuncts = guard([&] { return top_conjuncts(body); });
	const Oid changed = guard([] { return changed_function(); });
	std::vector<Conjunct> found;
	for (int i = 0; i < list_length(conjuncts); ++i) {
		auto *node = static_cast<Node *>(list_nth(conjuncts, i));
		Conjunct conjunct{guard([&] { return conjunct_text(body, node); }), {},
			IsA(node, FuncExpr) && castNode(FuncExpr, node)->funcid == changed};
		List *fields = guard([&] {
			List *list = NIL;
			collect_fields(node, &list);
			return list;
		});
		for (int j = 0; j < list_length(fields); ++j) {
			const auto *field = static_cast<FieldSelect *>(list_nth(fields, j));
			const bool is_old = castNode(Param, field->arg)->paramid == old_parameter;
			conjunct.columns.push_back((is_old ? "old." : "new.") + column_name(field));
		}
		found.push_back(std::move(conjunct));
	}
	return found;
}

void check_readable(Oid function)
{
	guard([&] { require_fields(reinterpret_cast<Node *>(body_of(function)), nullptr); });
}

} // namespace automation::pg
