#include "pg/postgres.hpp"

#include "pg/rollback.hpp"

namespace automation::pg {

namespace {

static_assert(std::is_same_v<SubTransactionId, std::uint32_t>);

void ended(SubXactEvent event, SubTransactionId number, SubTransactionId, void *undone)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		reinterpret_cast<Undone *>(undone)(number);
}

} // namespace

std::uint32_t subtransaction_number()
{
	return GetCurrentSubTransactionId();
}

void follow_rollbacks(Undone *undone)
{
	RegisterSubXactCallback(ended, reinterpret_cast<void *>(undone));
}

} // namespace automation::pg
