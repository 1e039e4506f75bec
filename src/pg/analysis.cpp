#include "pg/analysis.hpp"

namespace automation::pg {

namespace {

const Var *column_of(Node *node, int image)
{
	while (IsA(node, RelabelType))
		node = reinterpret_cast<Node *>(castNode(RelabelType, node)->arg);
	if (!IsA(node, Var))
		return nullptr;
	const auto *var = castNode(Var, node);
	return var->varno == image && var->varattno > 0 ? var : nullptr;
}

// Neither PostgreSQL's nor ours.
bool is_user_function(Oid function, void *)
{
	return function >= FirstNormalObjectId &&
		get_func_namespace(function) != get_namespace_oid("automation", true);
}

bool is_not_leakproof(Oid function, void *)
{
	return !get_func_leakproof(function);
}

bool calls(Node *node, void *check)
{
	if (!node)
		return false;
	const auto predicate = reinterpret_cast<check_function_callback>(check);
	if (check_functions_in_node(node, predicate, nullptr))
		return true;
	if (IsA(node, CoerceToDomain) || IsA(node, SQLValueFunction))
		return true;
	return expression_tree_walker(node, untyped<bool (*)()>(calls), check);
}

// Whether a value is written the same way whatever DateStyle, TimeZone and the like say.
bool is_plain_type(Oid type)
{
	switch (type) {
	case BOOLOID:
	case INT2OID:
	case INT4OID:
	case INT8OID:
	case NUMERICOID:
	case TEXTOID:
	case VARCHAROID:
	case BPCHAROID:
	case UUIDOID:
	case JSONOID:
	case JSONBOID:
		return true;
	default:
		return false;
	}
}

} // namespace

Node *parameters_to_columns(Node *node, void *row_type)
{
	if (!node)
		return nullptr;
	if (IsA(node, FieldSelect) && IsA(castNode(FieldSelect, node)->arg, Param)) {
		const auto *field = castNode(FieldSelect, node);
		const int parameter = castNode(Param, field->arg)->paramid;
		return reinterpret_cast<Node *>(makeVar(parameter == old_parameter ? INNER_VAR : OUTER_VAR,
			field->fieldnum, field->resulttype, field->resulttypmod, field->resultcollid, 0));
	}
	if (IsA(node, Param)) {
		const int parameter = castNode(Param, node)->paramid;
		return reinterpret_cast<Node *>(makeVar(parameter == old_parameter ? INNER_VAR : OUTER_VAR,
			InvalidAttrNumber, *static_cast<Oid *>(row_type), -1, InvalidOid, 0));
	}
	return expression_tree_mutator(node, untyped<Node *(*)()>(parameters_to_columns), row_type);
}

int watched_column(Node *conjunct, Oid changed)
{
	if (!IsA(conjunct, FuncExpr) || castNode(FuncExpr, conjunct)->funcid != changed)
		return 0;
	List *arguments = castNode(FuncExpr, conjunct)->args;
	const Var *before = column_of(static_cast<Node *>(linitial(arguments)), INNER_VAR);
	const Var *after = column_of(static_cast<Node *>(lsecond(arguments)), OUTER_VAR);
	return before && after && before->varattno == after->varattno ? after->varattno : 0;
}

bool as_equality(Node *conjunct, Equality *equality)
{
	if (!IsA(conjunct, OpExpr) || list_length(castNode(OpExpr, conjunct)->args) != 2)
		return false;
	const auto *operation = castNode(OpExpr, conjunct);
	const Var *column = column_of(static_cast<Node *>(linitial(operation->args)), OUTER_VAR);
	auto *constant = static_cast<Node *>(lsecond(operation->args));
	if (!column || !IsA(constant, Const) || castNode(Const, constant)->constisnull)
		return false;
	Oid left = InvalidOid, right = InvalidOid;
	if (!get_op_hash_functions(operation->opno, &left, &right))
		return false;
	*equality = {column->varattno, left, operation->inputcollid,
		DatumGetUInt32(OidFunctionCall1Coll(
			right, operation->inputcollid, castNode(Const, constant)->constvalue))};
	return true;
}

bool calls_user_code(Node *expression)
{
	return calls(expression, reinterpret_cast<void *>(is_user_function));
}

bool can_fail(Node *expression)
{
	return calls(expression, reinterpret_cast<void *>(is_not_leakproof));
}

bool writes_by_settings(Node *node, void *context)
{
	if (!node)
		return false;
	if (IsA(node, List))
		return expression_tree_walker(node, untyped<bool (*)()>(writes_by_settings), context);
	if (!is_plain_type(exprType(node)))
		return true;
	return expression_tree_walker(node, untyped<bool (*)()>(writes_by_settings), context);
}

} // namespace automation::pg
