#include "pg/object.hpp"

#include "pg/body.hpp"
#include "pg/error.hpp"
#include "pg/json_value.hpp"

namespace automation::pg {

namespace {

JsonbValue text_of(text *value)
{
	return text_value(VARDATA_ANY(value), static_cast<int>(VARSIZE_ANY_EXHDR(value)));
}

using Reader = JsonbValue (*)(Datum value);

// How values of a type are read; null: such a type it does not know.
Reader reader_of(Oid type)
{
	switch (type) {
	case BOOLOID:
		return [](Datum value) {
			JsonbValue made{};
			made.type = jbvBool;
			made.val.boolean = DatumGetBool(value);
			return made;
		};
	case INT2OID:
		return [](Datum value) { return number_value(int64_to_numeric(DatumGetInt16(value))); };
	case INT4OID:
		return [](Datum value) { return number_value(int64_to_numeric(DatumGetInt32(value))); };
	case INT8OID:
		return [](Datum value) { return number_value(int64_to_numeric(DatumGetInt64(value))); };
	case NUMERICOID:
		return [](Datum value) { return number_value(DatumGetNumeric(value)); };
	case JSONBOID:
		return [](Datum value) { return json_value(DatumGetJsonbP(value)); };
	case TEXTOID:
	case VARCHAROID:
	case BPCHAROID:
		return [](Datum value) { return text_of(DatumGetTextPP(value)); };
	default:
		return nullptr;
	}
}

// Whoever may call the function may call it with anything.
JsonbValue value_of(Oid type, Datum value)
{
	const Reader read = reader_of(type);
	if (!read)
		ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
			errmsg("automation._object() does not write type %s", format_type_be(type)));
	return read(value);
}

JsonbValue key_of(FunctionCallInfo call, int number)
{
	if (call->args[number].isnull || get_fn_expr_argtype(call->flinfo, number) != TEXTOID)
		ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
			errmsg("the keys of automation._object() are texts"));
	return text_of(DatumGetTextPP(call->args[number].value));
}

bool is_key(Node *node)
{
	return IsA(node, Const) && castNode(Const, node)->consttype == TEXTOID &&
		!castNode(Const, node)->constisnull;
}

// to_jsonb(x) as the value x: the object writes it the same way.
Node *plain_value(Node *node)
{
	if (!IsA(node, FuncExpr) || castNode(FuncExpr, node)->funcid != F_TO_JSONB)
		return node;
	auto *converted = static_cast<Node *>(linitial(castNode(FuncExpr, node)->args));
	return reader_of(exprType(converted)) ? converted : node;
}

Oid object_function()
{
	const Oid any[] = {ANYOID};
	List *name = list_make2(makeString(pstrdup("automation")), makeString(pstrdup("_object")));
	return LookupFuncName(name, 1, any, true);
}

Node *quickened(Node *node, void *function)
{
	if (!node)
		return nullptr;
	Node *copy = expression_tree_mutator(node, untyped<Node *(*)()>(quickened), function);
	if (!IsA(copy, FuncExpr) || castNode(FuncExpr, copy)->funcid != F_JSONB_BUILD_OBJECT_ANY ||
		castNode(FuncExpr, copy)->funcvariadic)
		return copy;
	auto *object = castNode(FuncExpr, copy);
	List *arguments = NIL;
	for (int i = 0; i < list_length(object->args); ++i) {
		auto *argument = static_cast<Node *>(list_nth(object->args, i));
		if (i % 2 == 1)
			argument = plain_value(argument);
		if (i % 2 == 1 ? !reader_of(exprType(argument)) : !is_key(argument))
			return copy;
		arguments = lappend(arguments, argument);
	}
	if (list_length(arguments) % 2 == 1)
		return copy; // it says what is wrong
	object->args = arguments;
	object->funcid = *static_cast<Oid *>(function);
	return copy;
}

} // namespace

Node *with_quick_objects(Node *expression)
{
	Oid function = object_function();
	return OidIsValid(function) ? quickened(expression, &function) : expression;
}

Datum object(FunctionCallInfoBaseData *call)
{
	return guard([&] {
		JsonbParseState *state = nullptr;
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
		for (int i = 0; i + 1 < call->nargs; i += 2) {
			JsonbValue key = key_of(call, i);
			pushJsonbValue(&state, WJB_KEY, &key);
			const NullableDatum &given = call->args[i + 1];
			JsonbValue value = given.isnull
				? null_value()
				: value_of(get_fn_expr_argtype(call->flinfo, i + 1), given.value);
			pushJsonbValue(&state, WJB_VALUE, &value);
		}
		return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
	});
}

} // namespace automation::pg
