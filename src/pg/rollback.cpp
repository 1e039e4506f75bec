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

Conclude *conclude_transaction = nullptr;

void before_end(XactEvent event, void *)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		conclude_transaction(BoolGetDatum(event == XACT_EVENT_PRE_PREPARE));
}

void at_end(XactEvent event, void *undone)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE || event == XACT_EVENT_ABORT)
		reinterpret_cast<Undone *>(undone)(0);
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

void follow_ends(Undone *undone)
{
	follow_rollbacks(undone);
	RegisterXactCallback(at_end, reinterpret_cast<void *>(undone));
}

void before_commit(Conclude *conclude)
{
	conclude_transaction = conclude;
	RegisterXactCallback(before_end, nullptr);
}

} // namespace automation::pg
