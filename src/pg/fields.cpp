#include "pg/postgres.hpp"

#include "pg/fields.hpp"

namespace automation::pg {

namespace {

struct Pair {
	const char *name;
	const char *value;
};

// Inside a guard: a list of Pairs.
List *pairs_of(Jsonb *object)
{
	List *pairs = NIL;
	if (!JB_ROOT_IS_OBJECT(object))
		return pairs;
	JsonbIterator *iterator = JsonbIteratorInit(&object->root);
	JsonbValue value;
	Pair *pair = nullptr;
	for (;;) {
		const JsonbIteratorToken token = JsonbIteratorNext(&iterator, &value, true);
		if (token == WJB_DONE)
			return pairs;
		if (token == WJB_KEY) {
			pair = static_cast<Pair *>(palloc0(sizeof(Pair)));
			pair->name = pnstrdup(value.val.string.val, value.val.string.len);
			pairs = lappend(pairs, pair);
		} else if (token == WJB_VALUE && pair) {
			pair->value = value.type == jbvString
				? pnstrdup(value.val.string.val, value.val.string.len)
				: JsonbToCString(nullptr, &JsonbValueToJsonb(&value)->root, 0);
		}
	}
}

// Inside a guard; null when a character has no counterpart.
const char *converted_to_utf8(const char *text, int size)
{
	const int encoding = GetDatabaseEncoding();
	const Oid conversion = FindDefaultConversionProc(encoding, PG_UTF8);
	const int room = size * MAX_CONVERSION_GROWTH + 1;
	auto *converted = static_cast<unsigned char *>(palloc0(room));
	auto *source = reinterpret_cast<unsigned char *>(const_cast<char *>(text));
	const bool whole = OidIsValid(conversion) &&
		pg_do_encoding_conversion_buf(
			conversion, encoding, PG_UTF8, source, size, converted, room, true) == size;
	return whole ? reinterpret_cast<char *>(converted) : nullptr;
}

} // namespace

core::Entries json_entries(Datum object)
{
	const List *pairs = guard([&] { return pairs_of(DatumGetJsonbP(object)); });
	core::Entries entries;
	for (int i = 0; i < list_length(pairs); ++i) {
		const auto *pair = static_cast<const Pair *>(list_nth(pairs, i));
		entries.push_back({pair->name, pair->value ? pair->value : ""});
	}
	return entries;
}

std::optional<std::string> to_utf8(std::string text)
{
	if (database_is_utf8())
		return text;
	const auto size = static_cast<int>(text.size());
	if (GetDatabaseEncoding() == PG_SQL_ASCII) {
		if (!pg_verify_mbstr(PG_UTF8, text.data(), size, true))
			return std::nullopt;
		return text;
	}
	const char *converted = guard([&] { return converted_to_utf8(text.data(), size); });
	return converted ? std::optional<std::string>(converted) : std::nullopt;
}

std::string clipped(const std::string &text, int most)
{
	const int kept = pg_mbcharcliplen(text.data(), static_cast<int>(text.size()), most);
	if (static_cast<std::size_t>(kept) == text.size())
		return text;
	return text.substr(0, static_cast<std::size_t>(kept)) + "...";
}

bool database_is_utf8()
{
	return GetDatabaseEncoding() == PG_UTF8;
}

} // namespace automation::pg
