#include "pg/postgres.hpp"

#include "pg/finder.hpp"

namespace automation::pg {

RowFinder::Query::~Query()
{
	if (plan)
		detail::run_guarded_noexcept(
			[](void *kept) { SPI_freeplan(static_cast<SPIPlanPtr>(kept)); }, plan);
}

std::optional<Datum> RowFinder::execute(Query &query, const std::string &key, Sight sight) const
{
	struct Outcome {
		::Datum row;
		bool is_null;
	};
	const ActAs identity(owner_, ActAs::Manner::restricted, system_path);
	const Spi spi;
	const Outcome outcome = guard([&] {
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
			return Outcome{0, true};
		bool is_null = false;
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
		return Outcome{datumCopy(value, false, -1), is_null};
	});
	return outcome.is_null ? std::nullopt : std::optional(outcome.row);
}

} // namespace automation::pg
