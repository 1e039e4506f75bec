#include "pg/object.hpp"

#include "pg/body.hpp"
#include "pg/error.hpp"
#include "pg/json_value.hpp"

#include <algorithm>

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

// How the arguments are read, found out once for all calls of an expression: a key is null here
// when it is not a text.
const Reader *readers_of(FunctionCallInfo call)
{
	FmgrInfo *function = call->flinfo;
	if (!function->fn_extra) {
		const auto count = static_cast<Size>(call->nargs);
		auto *readers =
			static_cast<Reader *>(MemoryContextAlloc(function->fn_mcxt, count * sizeof(Reader)));
		for (int i = 0; i < call->nargs; ++i) {
			const Oid type = get_fn_expr_argtype(function, i);
			readers[i] = i % 2 == 1 || type == TEXTOID ? reader_of(type) : nullptr;
		}
		function->fn_extra = readers;
	}
	return static_cast<const Reader *>(function->fn_extra);
}

JsonbValue key_of(const NullableDatum &given, Reader read)
{
	if (given.isnull || !read)
		ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
			errmsg("the keys of automation._object() are texts"));
	return read(given.value);
}

// Whoever may call the function may call it with anything.
JsonbValue value_of(FunctionCallInfo call, int number, Reader read)
{
	if (call->args[number].isnull)
		return null_value();
	if (!read)
		ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
			errmsg("automation._object() does not write type %s",
				format_type_be(get_fn_expr_argtype(call->flinfo, number))));
	return read(call->args[number].value);
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

struct Member {
	Node *key;
	Node *value;
	int place;
};

// As jsonb keeps them: shorter keys first. Of two with the same key the later one counts.
bool comes_before(const Member &one, const Member &other)
{
	text *key = DatumGetTextPP(castNode(Const, one.key)->constvalue);
	text *other_key = DatumGetTextPP(castNode(Const, other.key)->constvalue);
	const auto size = VARSIZE_ANY_EXHDR(key), other_size = VARSIZE_ANY_EXHDR(other_key);
	if (size != other_size)
		return size < other_size;
	const int order = memcmp(VARDATA_ANY(key), VARDATA_ANY(other_key), size);
	return order != 0 ? order < 0 : one.place < other.place;
}

// What comes in that order need not be sorted for each row.
List *sorted(List *arguments)
{
	const int count = list_length(arguments) / 2;
	auto *members = static_cast<Member *>(palloc(static_cast<Size>(count) * sizeof(Member)));
	for (int i = 0; i < count; ++i)
		members[i] = {static_cast<Node *>(list_nth(arguments, 2 * i)),
			static_cast<Node *>(list_nth(arguments, 2 * i + 1)), i};
	std::sort(members, members + count, comes_before);
	List *in_order = NIL;
	for (int i = 0; i < count; ++i)
		in_order = lappend(lappend(in_order, members[i].key), members[i].value);
	return in_order;
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
	object->args = sorted(arguments);
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
		const Reader *readers = readers_of(call);
		JsonbParseState *state = nullptr;
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
		for (int i = 0; i + 1 < call->nargs; i += 2) {
			JsonbValue key = key_of(call->args[i], readers[i]);
			pushJsonbValue(&state, WJB_KEY, &key);
			JsonbValue value = value_of(call, i + 1, readers[i + 1]);
			pushJsonbValue(&state, WJB_VALUE, &value);
		}
		return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
	});
}

} // namespace automation::pg
