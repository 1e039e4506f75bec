#include "pg/postgres.hpp"

#include "pg/scope.hpp"

#include <algorithm>

namespace automation::pg {

Scope scope_argument(FunctionCallInfoBaseData *call, int number)
{
	return guard([&] {
		HeapTupleHeader row = DatumGetHeapTupleHeader(call->args[number].value);
		bool is_null = false;
		const auto field = [&](const char *name) {
			return DatumGetObjectId(GetAttributeByName(row, name, &is_null));
		};
		return Scope{HeapTupleHeaderGetDatum(row), HeapTupleHeaderGetTypeId(row),
			field("row_relation"), field("owner")};
	});
}

core::Category category_of(Oid type)
{
	const Oid base = guard([&] { return getBaseType(type); });
	switch (base) {
	case BOOLOID:
		return core::Category::boolean;
	case DATEOID:
		return core::Category::date;
	case TIMESTAMPOID:
		return core::Category::timestamp;
	case TIMESTAMPTZOID:
		return core::Category::timestamptz;
	case JSONOID:
	case JSONBOID:
		return core::Category::json;
	case INT2OID:
	case INT4OID:
	case INT8OID:
	case NUMERICOID:
	case FLOAT4OID:
	case FLOAT8OID:
		return core::Category::number;
	default:
		return guard([&] { return TypeCategory(base) == TYPCATEGORY_STRING; })
			? core::Category::text
			: core::Category::other;
	}
}

// pg_tzset() also takes POSIX strings such as "Foo+3", which are no place on earth. Those have a
// digit, and of the names in the time zone database only these do.
bool is_time_zone(const std::string &name)
{
	constexpr const char *with_digit[] = {
		"EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT", "GMT0", "GMT+0", "GMT-0"};
	const char *characters = name.c_str();
	return guard([&] {
		pg_tz *zone = pg_tzset(characters);
		if (!zone || !pg_tz_acceptable(zone))
			return false;
		if (!strpbrk(characters, "0123456789"))
			return true;
		if (pg_strncasecmp(characters, "Etc/GMT", 7) == 0)
			return abs(atoi(characters + 7)) <= 14;
		return std::any_of(std::begin(with_digit), std::end(with_digit),
			[&](const char *known) { return pg_strcasecmp(characters, known) == 0; });
	});
}

} // namespace automation::pg
