#include "pg/body.hpp"
#include "pg/readable.hpp"

#include "pg/condition.hpp"

namespace automation::pg {

namespace {

constexpr int longest_condition = 8 * 1024;
constexpr int deepest_condition = 100;
constexpr int old_varno = 1;
constexpr int new_varno = 2;

// Errors of the parser point into the condition, not into the statement that defines the rule.
void point_into_condition(void *text)
{
	const int position = geterrposition();
	if (geterrcode() == ERRCODE_SYNTAX_ERROR)
		errdetail("A rule condition is a single expression.");
	if (position <= 0)
		return;
	errposition(0);
	internalerrposition(position);
	internalerrquery(static_cast<const char *>(text));
}

// Runs inside a guard, which puts the stack back when an error passes. The place says enough: no
// callback but this one has a word in it.
template <typename Callable> auto pointing_into(const char *condition, Callable &&callable)
{
	ErrorContextCallback callback{nullptr, point_into_condition, const_cast<char *>(condition)};
	ErrorContextCallback *outer = std::exchange(error_context_stack, &callback);
	auto *result = callable();
	error_context_stack = outer;
	return result;
}

Node *parse(const char *condition)
{
	List *statements = raw_parser(condition, RAW_PARSE_PLPGSQL_EXPR);
	auto *select = castNode(SelectStmt, linitial_node(RawStmt, statements)->stmt);
	if (list_length(select->targetList) != 1 || select->fromClause || select->whereClause ||
		select->groupClause || select->havingClause || select->windowClause || select->sortClause ||
		select->limitCount || select->limitOffset || select->lockingClause ||
		select->distinctClause || select->op != SETOP_NONE ||
		linitial_node(ResTarget, select->targetList)->name)
		ereport(ERROR, errcode(ERRCODE_SYNTAX_ERROR), errmsg("syntax error in rule condition"));
	return linitial_node(ResTarget, select->targetList)->val;
}

bool refuse_subquery(Node *node, void *context)
{
	if (!node)
		return false;
	if (IsA(node, SubLink))
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			errmsg("cannot use subquery in rule condition"),
			errhint(
				"Name related rows by a link (automation.link), or write the condition as a JSON "
				"tree with \"exists\" or \"count\"."));
	return raw_expression_tree_walker(node, untyped<bool (*)()>(refuse_subquery), context);
}

struct Inspection {
	const ConditionSite *site;
	int depth;
	List *unapproved;
};

bool reads_other_tables(const char *name)
{
	return strstr(name, "_to_xml") || strncmp(name, "pg_stat_get_", 12) == 0 ||
		strcmp(name, "ts_stat") == 0 || strncmp(name, "pg_read_", 8) == 0;
}

bool is_ours(Oid function)
{
	return get_func_namespace(function) == get_namespace_oid("automation", true);
}

bool inspect_function(Oid function, void *context)
{
	auto *inspection = static_cast<Inspection *>(context);
	const char *name = get_func_name(function);
	if (func_volatile(function) == PROVOLATILE_VOLATILE)
		ereport(ERROR, errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			errmsg("function %s cannot be used in a rule condition", format_procedure(function)),
			errdetail("Functions in rule conditions must be IMMUTABLE or STABLE."));
	if (function < FirstNormalObjectId && reads_other_tables(name))
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("function %s is not allowed in rule conditions", format_procedure(function)),
			errdetail("The function can read other tables."));
	if (function >= FirstNormalObjectId && !is_ours(function))
		inspection->unapproved = list_append_unique_oid(inspection->unapproved, function);
	return false;
}

void inspect_column(const Var *column, const ConditionSite *site)
{
	if (column->varno == old_varno && !site->has_old)
		ereport(ERROR, errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			errmsg("rule condition for INSERT cannot reference OLD values"));
	if (column->varno == new_varno && !site->has_new)
		ereport(ERROR, errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			errmsg("rule condition for DELETE cannot reference NEW values"));
	if (column->varattno < 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
			errmsg("cannot use system columns in a rule condition"));
	if (pg_class_aclcheck(site->relation, site->owner, ACL_SELECT) == ACLCHECK_OK)
		return;
	if (column->varattno == 0 ||
		pg_attribute_aclcheck(site->relation, column->varattno, site->owner, ACL_SELECT) !=
			ACLCHECK_OK)
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("permission denied for table %s", get_rel_name(site->relation)),
			column->varattno == 0 ? 0
								  : errdetail("Role \"%s\" may not read column \"%s\".",
										GetUserNameFromId(site->owner, false),
										get_attname(site->relation, column->varattno, false)));
}

// Reading a text as such a type runs code that a user made (the CHECK of a domain in a composite),
// each time that the text is parsed, and it is parsed again with more rights than his.
bool runs_code_when_read(Oid type)
{
	const Oid element = get_base_element_type(type);
	const Oid read = OidIsValid(element) ? element : type;
	if (read < FirstNormalObjectId)
		return false;
	const char kind = get_typtype(read);
	return kind != TYPTYPE_BASE && kind != TYPTYPE_ENUM;
}

void inspect_type(Node *node)
{
	if (IsA(node, Const) && !castNode(Const, node)->constisnull &&
		runs_code_when_read(castNode(Const, node)->consttype))
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			errmsg("cannot use a constant of type %s in a rule condition",
				format_type_be(castNode(Const, node)->consttype)));
	if (IsA(node, CoerceToDomain) &&
		castNode(CoerceToDomain, node)->resulttype >= FirstNormalObjectId)
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			errmsg("cannot use a cast to domain %s in a rule condition",
				format_type_be(castNode(CoerceToDomain, node)->resulttype)),
			errhint("Cast to the type that the domain is based on."));
}

bool inspect(Node *node, void *context)
{
	if (!node)
		return false;
	auto *inspection = static_cast<Inspection *>(context);
	if (IsA(node, Aggref))
		ereport(ERROR, errcode(ERRCODE_GROUPING_ERROR),
			errmsg("aggregate functions are not allowed in rule conditions"));
	if (IsA(node, WindowFunc))
		ereport(ERROR, errcode(ERRCODE_WINDOWING_ERROR),
			errmsg("window functions are not allowed in rule conditions"));
	if (IsA(node, FuncExpr) && castNode(FuncExpr, node)->funcretset)
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			errmsg("set-returning functions are not allowed in rule conditions"));
	if (IsA(node, Var) && castNode(Var, node)->varlevelsup == 0)
		inspect_column(castNode(Var, node), inspection->site);
	if (IsA(node, SubLink)) // made by our compiler, which has checked what it names
		return false;
	inspect_type(node);
	check_functions_in_node(node, inspect_function, context);
	if (++inspection->depth > deepest_condition)
		ereport(ERROR, errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
			errmsg("rule condition is too complex"),
			errdetail("The expression exceeds the maximum depth of %d.", deepest_condition));
	expression_tree_walker(node, untyped<bool (*)()>(inspect), context);
	--inspection->depth;
	return false;
}

// The way CREATE TRIGGER ... WHEN does it, but for our own words in the messages.
Node *transform(Node *raw, const ConditionSite &site, const char *condition)
{
	Relation table = relation_open(site.relation, AccessShareLock);
	ParseState *state = make_parsestate(nullptr);
	state->p_sourcetext = condition;
	for (const char *image : {"old", "new"})
		addNSItemToQuery(state,
			addRangeTableEntryForRelation(
				state, table, AccessShareLock, makeAlias(image, NIL), false, false),
			false, true, true);
	Node *expression = transformExpr(state, raw, EXPR_KIND_SELECT_TARGET);
	if (exprType(expression) == UNKNOWNOID)
		expression = coerce_type(state, expression, UNKNOWNOID, TEXTOID, -1, COERCION_IMPLICIT,
			COERCE_IMPLICIT_CAST, -1);
	if (site.verdict == Verdict::boolean && exprType(expression) != BOOLOID)
		ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
			errmsg("rule condition must be type boolean, not type %s",
				format_type_be(exprType(expression))));
	assign_expr_collations(state, expression);
	relation_close(table, NoLock);
	return expression;
}

} // namespace

void check_syntax(const std::string &expression)
{
	const char *condition = expression.c_str();
	guard([&] {
		if (strlen(condition) > longest_condition)
			ereport(ERROR, errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				errmsg("rule condition is too complex"),
				errdetail("The text exceeds the maximum length of %d bytes.", longest_condition));
		refuse_subquery(pointing_into(condition, [&] { return parse(condition); }), nullptr);
	});
}

std::vector<Oid> check_meaning(const std::string &expression, const ConditionSite &site)
{
	const char *condition = expression.c_str();
	List *unapproved = guard([&] {
		Inspection inspection{&site, 0, NIL};
		require_all_rows(site.relation, site.owner);
		inspect(
			pointing_into(condition, [&] { return transform(parse(condition), site, condition); }),
			&inspection);
		return inspection.unapproved;
	});
	std::vector<Oid> functions;
	functions.reserve(static_cast<std::size_t>(list_length(unapproved)));
	for (int i = 0; i < list_length(unapproved); ++i)
		functions.push_back(list_nth_oid(unapproved, i));
	return functions;
}

std::string function_signature(Oid function)
{
	return guard([&]() -> const char * { return format_procedure(function); });
}

} // namespace automation::pg
