#include "pg/postgres.hpp"

#include "pg/clock.hpp"

namespace automation::pg {

Datum now()
{
	return TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
}

} // namespace automation::pg
