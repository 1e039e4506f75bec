#include "pg/postgres.hpp"

#include "pg/scope.hpp"

namespace automation::pg {

Scope scope_argument(FunctionCallInfoBaseData *call, int number)
{
	return guard([&] {
		HeapTupleHeader row = DatumGetHeapTupleHeader(call->args[number].value);
		bool is_null;
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

// pg_tzset() also takes "Foo+3"; a POSIX string is no place on earth.
bool is_time_zone(const std::string &name)
{
	const char *characters = name.c_str();
	return guard([&] {
		pg_tz *zone = pg_tzset(characters);
		return zone && pg_tz_acceptable(zone) && !strpbrk(characters, "<>,") &&
			(strchr(characters, '/') || !strpbrk(characters, "+-0123456789"));
	});
}

} // namespace automation::pg
