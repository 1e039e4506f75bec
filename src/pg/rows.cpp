#include "pg/postgres.hpp"

#include "pg/spi.hpp"

namespace automation::pg {

namespace {

// These two run inside a guard. A null value is 0.
HeapTuple row_at(const SPITupleTable *table, std::uint64_t row)
{
	if (!table || row >= table->numvals)
		elog(ERROR, "the statement returned no row %llu", static_cast<unsigned long long>(row));
	return table->vals[row];
}

Datum value_at(const SPITupleTable *table, std::uint64_t row, int column, bool *is_null)
{
	HeapTuple tuple = row_at(table, row);
	return SPI_getbinval(tuple, table->tupdesc, column, is_null);
}

} // namespace

bool Rows::is_null(std::uint64_t row, int column) const
{
	bool null = false;
	guard([&] { value_at(table_, row, column, &null); });
	return null;
}

std::optional<std::string> Rows::text(std::uint64_t row, int column) const
{
	const char *value = guard([&]() -> const char * {
		HeapTuple tuple = row_at(table_, row);
		return SPI_getvalue(tuple, table_->tupdesc, column);
	});
	return value ? std::optional<std::string>(value) : std::nullopt;
}

std::int64_t Rows::integer(std::uint64_t row, int column) const
{
	return guard([&]() -> std::int64_t {
		bool null = false;
		const Datum value = value_at(table_, row, column, &null);
		switch (SPI_gettypeid(table_->tupdesc, column)) {
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case OIDOID:
			return DatumGetObjectId(value);
		default:
			return DatumGetInt64(value);
		}
	});
}

bool Rows::boolean(std::uint64_t row, int column) const
{
	return datum(row, column) != 0;
}

std::string Rows::bytes(std::uint64_t row, int column) const
{
	if (is_null(row, column))
		return {};
	const bytea *value = guard([&] { return DatumGetByteaPP(datum(row, column)); });
	return {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

Datum Rows::datum(std::uint64_t row, int column) const
{
	return guard([&] {
		bool null = false;
		return value_at(table_, row, column, &null);
	});
}

} // namespace automation::pg
