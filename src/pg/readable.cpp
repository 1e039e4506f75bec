#include "pg/readable.hpp"

namespace automation::pg {

namespace {

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
	if (IsA(node, FieldSelect) && IsA(castNode(FieldSelect, node)->arg, Param)) {
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

} // namespace

void require_readable(Query *body, Oid relation)
{
	require_all_rows(relation, GetUserId());
	require_fields(reinterpret_cast<Node *>(body), nullptr);
}

void require_all_rows(Oid relation, Oid role)
{
	if (check_enable_rls(relation, role, true) == RLS_ENABLED)
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("table \"%s\" has row-level security", get_rel_name(relation)),
			errhint("The author of its rules must own the table or have BYPASSRLS."));
}

} // namespace automation::pg
