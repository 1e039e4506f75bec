#include "pg/body.hpp"

#include "pg/compiled.hpp"
#include "pg/invocation.hpp"

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

const char *conjunct_text(Query *body, int number)
{
	Query *query = copy_of(body);
	keep_conjunct(query, number);
	return qualified_text(query);
}

std::vector<std::string> columns_of(Node *part)
{
	List *fields = guard([&] {
		List *list = NIL;
		collect_fields(part, &list);
		return list;
	});
	std::vector<std::string> columns;
	for (int i = 0; i < list_length(fields); ++i) {
		const auto *field = static_cast<FieldSelect *>(list_nth(fields, i));
		const bool is_old = castNode(Param, field->arg)->paramid == old_parameter;
		columns.push_back((is_old ? "old." : "new.") + column_name(field));
	}
	return columns;
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

Datum conjuncts(FunctionCallInfoBaseData *call)
{
	ResultSet rows(call);
	Query *body = guard([&] { return body_of(oid_argument(call, 0)); });
	List *parts = guard([&] {
		auto *target = linitial_node(TargetEntry, body->targetList);
		return conjuncts_in(reinterpret_cast<Node *>(target->expr));
	});
	const Oid changed = guard([] { return changed_function(); });
	for (int i = 0; i < list_length(parts); ++i) {
		auto *part = static_cast<Node *>(list_nth(parts, i));
		const bool is_change = IsA(part, FuncExpr) && castNode(FuncExpr, part)->funcid == changed;
		rows.add({guard([&] { return conjunct_text(body, i + 1); }), array_text(columns_of(part)),
			is_change ? "true" : "false"});
	}
	return 0;
}

} // namespace automation::pg
