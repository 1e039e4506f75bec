#include "pg/postgres.hpp"

#include "pg/numbers.hpp"

namespace automation::pg {

namespace {

template <typename Number> std::vector<std::int64_t> elements_of(ArrayType *array)
{
	const auto *first = reinterpret_cast<const Number *>(ARR_DATA_PTR(array));
	return {first, first + ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))};
}

} // namespace

std::vector<std::int64_t> numbers_at(const Rows &rows, std::uint64_t row, int column)
{
	const Datum value = rows.datum(row, column);
	if (value == 0)
		return {};
	ArrayType *array = guard([&] { return DatumGetArrayTypeP(value); });
	if (ARR_HASNULL(array))
		fail("22004", "array of numbers contains nulls");
	switch (ARR_ELEMTYPE(array)) {
	case INT2OID:
		return elements_of<std::int16_t>(array);
	case INT4OID:
		return elements_of<std::int32_t>(array);
	case INT8OID:
		return elements_of<std::int64_t>(array);
	default:
		return elements_of<std::uint32_t>(array);
	}
}

} // namespace automation::pg
