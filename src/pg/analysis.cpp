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

bool collect_function(Oid function, void *list)
{
	auto **functions = static_cast<List **>(list);
	*functions = list_append_unique_oid(*functions, function);
	return false;
}

bool collect_functions(Node *node, void *list)
{
	if (!node)
		return false;
	check_functions_in_node(node, collect_function, list);
	return expression_tree_walker(node, untyped<bool (*)()>(collect_functions), list);
}

// Those of an array that is listed: a null equals nothing.
List *elements_of(const Const *array)
{
	ArrayType *values = DatumGetArrayTypeP(array->constvalue);
	const Oid type = ARR_ELEMTYPE(values);
	int16 length = 0;
	bool by_value = false;
	char alignment = 0;
	get_typlenbyvalalign(type, &length, &by_value, &alignment);
	Datum *elements = nullptr;
	bool *nulls = nullptr;
	int count = 0;
	deconstruct_array(values, type, length, by_value, alignment, &elements, &nulls, &count);
	List *constants = NIL;
	for (int i = 0; i < count; ++i)
		if (!nulls[i])
			constants = lappend(constants,
				makeConst(type, -1, array->constcollid, length, elements[i], false, by_value));
	return constants;
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

bool as_equality(Node *conjunct, Comparison *comparison)
{
	List *arguments = NIL;
	Oid operation = InvalidOid;
	if (IsA(conjunct, OpExpr)) {
		const auto *scalar = castNode(OpExpr, conjunct);
		arguments = scalar->args;
		operation = scalar->opno;
		comparison->collation = scalar->inputcollid;
	} else if (IsA(conjunct, ScalarArrayOpExpr) && castNode(ScalarArrayOpExpr, conjunct)->useOr) {
		const auto *listed = castNode(ScalarArrayOpExpr, conjunct);
		arguments = listed->args;
		operation = listed->opno;
		comparison->collation = listed->inputcollid;
	}
	if (list_length(arguments) != 2)
		return false;
	const Var *column = column_of(static_cast<Node *>(linitial(arguments)), OUTER_VAR);
	auto *constant = static_cast<Node *>(lsecond(arguments));
	if (!column || !IsA(constant, Const) || castNode(Const, constant)->constisnull)
		return false;
	// What is equal by a nondeterministic collation depends on the version of its library.
	if (OidIsValid(comparison->collation) && !get_collation_isdeterministic(comparison->collation))
		return false;
	comparison->column = column->varattno;
	comparison->constants =
		IsA(conjunct, OpExpr) ? list_make1(constant) : elements_of(castNode(Const, constant));
	return comparison->constants != NIL &&
		get_op_hash_functions(operation, &comparison->column_hash, &comparison->constant_hash);
}

List *plain_ones(List *parts, Oid row_type)
{
	List *plain = NIL;
	for (int i = 0; i < list_length(parts); ++i) {
		auto *part = static_cast<Node *>(list_nth(parts, i));
		if (!checkExprHasSubLink(part))
			plain = lappend(plain, parameters_to_columns(part, &row_type));
	}
	return plain;
}

List *functions_in(Node *expression)
{
	List *functions = NIL;
	collect_functions(expression, &functions);
	return functions;
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
