#include "pg/postgres.hpp"

#include "pg/json.hpp"

namespace automation::pg {

namespace {

// A scalar as text; null pointer for JSON null.
const char *scalar_text(const JsonbValue *value)
{
	switch (value->type) {
	case jbvString:
		return pnstrdup(value->val.string.val, value->val.string.len);
	case jbvNumeric:
		return DatumGetCString(
			DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	case jbvBool:
		return value->val.boolean ? "true" : "false";
	default:
		return nullptr;
	}
}

} // namespace

const Oid jsonb_type = JSONBOID;

std::vector<std::optional<std::string>> json_texts(Datum object, const char *key)
{
	const JsonbValue *found = guard([&]() -> const JsonbValue * {
		Jsonb *json = DatumGetJsonbP(object);
		if (!JB_ROOT_IS_OBJECT(json))
			return nullptr;
		return getKeyJsonValueFromContainer(
			&json->root, key, static_cast<int>(strlen(key)), nullptr);
	});
	std::vector<std::optional<std::string>> texts;
	const auto add = [&](const JsonbValue *value) {
		const char *text = guard([&] { return scalar_text(value); });
		texts.push_back(text ? std::optional<std::string>(text) : std::nullopt);
	};
	if (!found)
		return texts;
	if (found->type != jbvBinary) {
		add(found);
		return texts;
	}
	JsonbContainer *container = found->val.binary.data;
	if (!JsonContainerIsArray(container))
		return texts;
	for (uint32 i = 0; i < JsonContainerSize(container); ++i)
		add(guard([&] { return getIthJsonbValueFromContainer(container, i); }));
	return texts;
}

bool has_key(Datum object, const char *key)
{
	return guard([&] {
		Jsonb *json = DatumGetJsonbP(object);
		return JB_ROOT_IS_OBJECT(json) &&
			getKeyJsonValueFromContainer(
				&json->root, key, static_cast<int>(strlen(key)), nullptr) != nullptr;
	});
}

JsonObject::JsonObject(Datum object) : object_(guard([&] { return &DatumGetJsonbP(object)->root; }))
{
}

std::size_t JsonObject::size() const
{
	return JsonContainerSize(object_);
}

JsonbValue *JsonObject::find(const char *name) const
{
	if (!JsonContainerIsObject(object_))
		return nullptr;
	return guard([&] {
		return getKeyJsonValueFromContainer(object_, name, static_cast<int>(strlen(name)), nullptr);
	});
}

std::optional<std::string> JsonObject::text(const char *name) const
{
	const JsonbValue *value = find(name);
	if (value && value->type == jbvString)
		return std::string(value->val.string.val, static_cast<std::size_t>(value->val.string.len));
	return json(name);
}

std::optional<std::string> JsonObject::json(const char *name) const
{
	const JsonbValue *value = find(name);
	if (!value || value->type == jbvNull)
		return std::nullopt;
	if (value->type != jbvBinary)
		return json_text(member(name));
	return guard([&]() -> const char * {
		return JsonbToCString(nullptr, value->val.binary.data, value->val.binary.len);
	});
}

Datum JsonObject::member(const char *name) const
{
	JsonbValue *value = find(name);
	if (!value || value->type == jbvNull)
		return 0;
	return guard([&] { return JsonbPGetDatum(JsonbValueToJsonb(value)); });
}

std::string json_text(Datum value)
{
	return guard([&]() -> const char * {
		Jsonb *json = DatumGetJsonbP(value);
		return JsonbToCString(nullptr, &json->root, VARSIZE(json));
	});
}

std::string key_text(Datum key)
{
	const char *only_field = guard([&]() -> const char * {
		Jsonb *json = DatumGetJsonbP(key);
		if (!JB_ROOT_IS_OBJECT(json) || JB_ROOT_COUNT(json) != 1)
			return nullptr;
		JsonbIterator *iterator = JsonbIteratorInit(&json->root);
		JsonbValue value;
		for (JsonbIteratorToken token = WJB_DONE;
			 (token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE;)
			if (token == WJB_VALUE)
				return scalar_text(&value);
		return nullptr;
	});
	return only_field ? only_field : json_text(key);
}

} // namespace automation::pg
