#include "pg/json_builder.hpp"

#include "pg/json_value.hpp"

namespace automation::pg {

namespace {

JsonbValue copied_text(std::string_view text)
{
	const int length = static_cast<int>(text.size());
	return text_value(pnstrdup(text.data(), text.size()), length);
}

void add(JsonbParseState *&state, JsonbValue value)
{
	pushJsonbValue(&state, state->contVal.type == jbvArray ? WJB_ELEM : WJB_VALUE, &value);
}

JsonbValue *push(JsonbParseState *&state, JsonbIteratorToken token)
{
	return guard([&] { return pushJsonbValue(&state, token, nullptr); });
}

} // namespace

JsonBuilder &JsonBuilder::begin_object()
{
	push(state_, WJB_BEGIN_OBJECT);
	return *this;
}

JsonBuilder &JsonBuilder::end_object()
{
	made_ = push(state_, WJB_END_OBJECT);
	return *this;
}

JsonBuilder &JsonBuilder::begin_array()
{
	push(state_, WJB_BEGIN_ARRAY);
	return *this;
}

JsonBuilder &JsonBuilder::end_array()
{
	made_ = push(state_, WJB_END_ARRAY);
	return *this;
}

JsonBuilder &JsonBuilder::key(std::string_view name)
{
	guard([&] {
		JsonbValue key = copied_text(name);
		pushJsonbValue(&state_, WJB_KEY, &key);
	});
	return *this;
}

JsonBuilder &JsonBuilder::text(std::string_view text)
{
	guard([&] { add(state_, copied_text(text)); });
	return *this;
}

JsonBuilder &JsonBuilder::number(std::int64_t number)
{
	guard([&] { add(state_, number_value(int64_to_numeric(number))); });
	return *this;
}

JsonBuilder &JsonBuilder::null()
{
	guard([&] { add(state_, null_value()); });
	return *this;
}

JsonBuilder &JsonBuilder::json(std::string_view text)
{
	guard([&] {
		const char *characters = pnstrdup(text.data(), text.size());
		const Datum value = DirectFunctionCall1(jsonb_in, CStringGetDatum(characters));
		add(state_, json_value(DatumGetJsonbP(value)));
	});
	return *this;
}

Value JsonBuilder::finish()
{
	return Value::datum(
		guard([&] { return JsonbPGetDatum(JsonbValueToJsonb(static_cast<JsonbValue *>(made_))); }),
		JSONBOID);
}

} // namespace automation::pg
