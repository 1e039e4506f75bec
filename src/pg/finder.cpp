#include "pg/postgres.hpp"

#include "pg/finder.hpp"

namespace automation::pg {

RowFinder::Query::~Query()
{
	if (plan)
		detail::run_guarded_noexcept(
			[](void *kept) { SPI_freeplan(static_cast<SPIPlanPtr>(kept)); }, plan);
}

std::optional<RowFinder::Row> RowFinder::execute(
	Query &query, const std::string &key, Sight sight) const
{
	struct Found {
		::Datum row;
		Oid table;
		::Datum address; // 0: there is none
	};
	const ActAs identity(owner_, ActAs::Manner::restricted, system_path);
	const Spi spi;
	const Found found = guard([&] {
		MemoryContext caller = CurrentMemoryContext;
		if (!query.plan) {
			Oid type = TEXTOID;
			SPIPlanPtr plan = SPI_prepare(query.command.c_str(), 1, &type);
			if (!plan || SPI_keepplan(plan) != 0)
				elog(ERROR, "could not prepare: %s", query.command.c_str());
			query.plan = plan;
		}
		::Datum value = PointerGetDatum(cstring_to_text(key.c_str()));
		SPI_execute_plan(query.plan, &value, nullptr, sight == Sight::active, 1);
		MemoryContextSwitchTo(caller);
		if (SPI_processed == 0)
			return Found{};
		const auto column = [](int number) {
			bool is_null = false;
			return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, &is_null);
		};
		return Found{datumCopy(column(1), false, -1), DatumGetObjectId(column(2)),
			datumCopy(column(3), false, sizeof(ItemPointerData))};
	});
	if (found.address == 0)
		return std::nullopt;
	return Row{found.row, place_of(found.table, found.address)};
}

} // namespace automation::pg
