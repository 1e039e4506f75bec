#include "pg/postgres.hpp"

#include "pg/fault.hpp"

#include "pg/error.hpp"

namespace automation::pg {

void find_faults()
{
	detail::faults = find_rendezvous_variable("pg_automation faults");
}

bool detail::strike(const char *point) noexcept
{
	return reinterpret_cast<bool (*)(const char *) noexcept>(*faults)(point);
}

void detail::fail_at(const char *point)
{
	fail("XX000", std::string("fault where ") + point);
}

} // namespace automation::pg
