#include "pg/postgres.hpp"

#include "pg/identity.hpp"
#include "pg/invocation.hpp"
#include "pg/json.hpp"

namespace automation::pg {

namespace {

// automation.verb(a, b) -> automation._verb(regrole, a, b); kept for the life of the call site.
FmgrInfo *private_function(FunctionCallInfo call)
{
	FmgrInfo *site = call->flinfo;
	if (site->fn_extra)
		return static_cast<FmgrInfo *>(site->fn_extra);
	Oid *types = nullptr;
	int count = 0;
	get_func_signature(site->fn_oid, &types, &count);
	Oid private_types[FUNC_MAX_ARGS];
	private_types[0] = REGROLEOID;
	memcpy(private_types + 1, types, count * sizeof(Oid));
	char *schema = get_namespace_name(get_func_namespace(site->fn_oid));
	List *name =
		list_make2(makeString(schema), makeString(psprintf("_%s", get_func_name(site->fn_oid))));
	auto *found = static_cast<FmgrInfo *>(MemoryContextAllocZero(site->fn_mcxt, sizeof(FmgrInfo)));
	fmgr_info_cxt(LookupFuncName(name, count + 1, private_types, false), found, site->fn_mcxt);
	site->fn_extra = found;
	return found;
}

} // namespace

Datum call_as_extension_owner(FunctionCallInfoBaseData *call)
{
	const Oid caller = GetUserId();
	const Oid owner = extension_owner();
	FmgrInfo *target = guard([&] { return private_function(call); });
	const RightsOf identity(owner, RightsOf::Manner::definer);
	return guard([&] {
		LOCAL_FCINFO(inner, FUNC_MAX_ARGS);
		InitFunctionCallInfoData(
			*inner, target, call->nargs + 1, call->fncollation, call->context, call->resultinfo);
		inner->args[0].value = ObjectIdGetDatum(caller);
		inner->args[0].isnull = false;
		for (int i = 0; i < call->nargs; ++i)
			inner->args[i + 1] = call->args[i];
		::Datum result = 0;
		without_context([&] { result = FunctionCallInvoke(inner); });
		call->isnull = inner->isnull;
		return result;
	});
}

bool is_null_argument(FunctionCallInfoBaseData *call, int number)
{
	return call->args[number].isnull;
}

std::string text_argument(FunctionCallInfoBaseData *call, int number)
{
	return guard([&]() -> const char * {
		return text_to_cstring(DatumGetTextPP(call->args[number].value));
	});
}

std::optional<std::string> text_argument_or_null(FunctionCallInfoBaseData *call, int number)
{
	return call->args[number].isnull ? std::nullopt : std::optional(text_argument(call, number));
}

std::vector<std::string> text_array_argument(FunctionCallInfoBaseData *call, int number)
{
	struct Elements {
		::Datum *values;
		int count;
	};
	const Elements elements = guard([&] {
		Elements found{};
		bool *nulls = nullptr;
		deconstruct_array(DatumGetArrayTypeP(call->args[number].value), TEXTOID, -1, false,
			TYPALIGN_INT, &found.values, &nulls, &found.count);
		return found;
	});
	std::vector<std::string> texts;
	texts.reserve(static_cast<std::size_t>(elements.count));
	for (int i = 0; i < elements.count; ++i)
		texts.emplace_back(
			guard([&]() -> const char * { return TextDatumGetCString(elements.values[i]); }));
	return texts;
}

std::string json_argument(FunctionCallInfoBaseData *call, int number)
{
	return json_text(call->args[number].value);
}

std::optional<std::string> json_argument_or_null(FunctionCallInfoBaseData *call, int number)
{
	return call->args[number].isnull ? std::nullopt : std::optional(json_argument(call, number));
}

Oid oid_argument(FunctionCallInfoBaseData *call, int number)
{
	return DatumGetObjectId(call->args[number].value);
}

Datum datum_argument(FunctionCallInfoBaseData *call, int number)
{
	return call->args[number].value;
}

int integer_argument(FunctionCallInfoBaseData *call, int number)
{
	return DatumGetInt32(call->args[number].value);
}

Datum text_result(const std::string &text)
{
	const char *characters = text.data();
	const int size = static_cast<int>(text.size());
	return guard([&] { return PointerGetDatum(cstring_to_text_with_len(characters, size)); });
}

Datum json_result(const std::string &json)
{
	const char *characters = json.c_str();
	return guard([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(characters)); });
}

Datum json_result_or_null(FunctionCallInfoBaseData *call, const std::optional<std::string> &json)
{
	call->isnull = !json;
	return json ? json_result(*json) : 0;
}

Datum text_result_or_null(FunctionCallInfoBaseData *call, const std::optional<std::string> &text)
{
	call->isnull = !text;
	return text ? text_result(*text) : 0;
}

ResultSet::ResultSet(FunctionCallInfoBaseData *call) : call_(call)
{
	guard([&] { InitMaterializedSRF(call, 0); });
}

void ResultSet::add(const std::vector<std::optional<std::string>> &columns)
{
	std::vector<char *> values;
	values.reserve(columns.size());
	for (const std::optional<std::string> &column : columns)
		values.push_back(column ? const_cast<char *>(column->c_str()) : nullptr);
	char **texts = values.data();
	guard([&] {
		auto *result = reinterpret_cast<ReturnSetInfo *>(call_->resultinfo);
		AttInMetadata *input = TupleDescGetAttInMetadata(result->setDesc);
		tuplestore_puttuple(result->setResult, BuildTupleFromCStrings(input, texts));
	});
}

std::string array_text(const std::vector<std::string> &elements)
{
	std::string text = "{";
	for (const std::string &element : elements) {
		text += text.size() > 1 ? ",\"" : "\"";
		for (const char c : element) {
			if (c == '"' || c == '\\')
				text += '\\';
			text += c;
		}
		text += '"';
	}
	return text + "}";
}

} // namespace automation::pg
