// The scopes that stop an error: what they do to PostgreSQL's transaction.
#include "pg/postgres.hpp"

#include "pg/spi.hpp"

namespace automation::pg {

detail::Savepoint::Savepoint() : context(CurrentMemoryContext), owner(CurrentResourceOwner)
{
	guard([] { BeginInternalSubTransaction(nullptr); });
	MemoryContextSwitchTo(static_cast<MemoryContext>(context));
}

void detail::Savepoint::release()
{
	guard([] { ReleaseCurrentSubTransaction(); });
	MemoryContextSwitchTo(static_cast<MemoryContext>(context));
	CurrentResourceOwner = static_cast<ResourceOwner>(owner);
}

void detail::Savepoint::rollback()
{
	guard([] { RollbackAndReleaseCurrentSubTransaction(); });
	MemoryContextSwitchTo(static_cast<MemoryContext>(context));
	CurrentResourceOwner = static_cast<ResourceOwner>(owner);
}

void detail::begin_transaction()
{
	guard([] {
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
	});
}

void detail::commit_transaction()
{
	guard([] {
		PopActiveSnapshot();
		CommitTransactionCommand();
	});
}

void detail::abort_transaction()
{
	guard([] { AbortCurrentTransaction(); });
}

bool in_transaction_block()
{
	return IsTransactionBlock();
}

void defer_no_constraint()
{
	guard([] {
		CommandCounterIncrement();
		AfterTriggerSetState(makeNode(ConstraintsSetStmt));
	});
}

} // namespace automation::pg
