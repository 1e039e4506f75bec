#include "pg/versions.hpp"
#include "pg/shape.hpp"

namespace automation::pg {

namespace {

struct Found {
	TupleDesc descriptor;
	HeapTuple tuple; // a copy, so that no buffer stays pinned
};

// The transaction still has the lock on the table that it took to change the row.
Found fetch(const RowType &type, const Version &version)
{
	Relation table = table_open(version.leaf, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, nullptr);
	ItemPointerData place;
	ItemPointerSet(&place, version.block, version.offset);
	Found found{type.descriptor(), nullptr};
	if (table_tuple_fetch_row_version(table, &place, SnapshotAny, slot))
		found.tuple = ExecCopySlotHeapTuple(slot);
	ExecDropSingleTupleTableSlot(slot);
	if (version.leaf != type.relation())
		found.descriptor = CreateTupleDescCopyConstr(RelationGetDescr(table));
	table_close(table, NoLock);
	return found;
}

// By a command of this transaction below the number, and for good.
bool is_replaced(HeapTuple tuple, CommandId command)
{
	HeapTupleHeader header = tuple->t_data;
	return !(header->t_infomask & HEAP_XMAX_INVALID) && !HeapTupleHeaderIsOnlyLocked(header) &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(header)) &&
		HeapTupleHeaderGetCmax(header) < command;
}

Version version_at(Oid leaf, Oid file, const ItemPointerData &place)
{
	return {leaf, file, ItemPointerGetBlockNumber(&place), ItemPointerGetOffsetNumber(&place)};
}

// False: there is none, the row was deleted.
bool go_to_next(Version &version, HeapTuple tuple, const Moves &moves)
{
	if (HeapTupleHeaderIndicatesMovedPartitions(tuple->t_data)) {
		const auto move = moves.find(version);
		if (move == moves.end())
			return false;
		version = move->second;
		return true;
	}
	if (ItemPointerEquals(&tuple->t_data->t_ctid, &tuple->t_self))
		return false;
	version = version_at(version.leaf, version.file, tuple->t_data->t_ctid);
	return true;
}

} // namespace

bool TriggerCall::is_first_since(unsigned int command) const
{
	return guard([&] {
		const TriggerData *data = reinterpret_cast<TriggerData *>(call_->context);
		HeapTupleHeader old_row = data->tg_trigtuple->t_data;
		if (TRIGGER_FIRED_BY_INSERT(data->tg_event) ||
			!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(old_row)))
			return true;
		return HeapTupleHeaderGetCmin(old_row) < command;
	});
}

Version TriggerCall::version() const
{
	const TriggerData *data = reinterpret_cast<TriggerData *>(call_->context);
	return version_at(relation(), data->tg_relation->rd_node.relNode, data->tg_trigslot->tts_tid);
}

Version version_of(const HeapTupleData *departed, Oid leaf)
{
	const Oid file = guard([&] {
		Relation table = table_open(leaf, AccessShareLock);
		const Oid node = table->rd_node.relNode;
		table_close(table, NoLock);
		return node;
	});
	return version_at(leaf, file, departed->t_self);
}

unsigned int next_command()
{
	return guard([] {
		CommandCounterIncrement();
		return GetCurrentCommandId(false);
	});
}

Hindsight::Hindsight(unsigned int command) : command_(command)
{
	guard([&] {
		PushCopiedSnapshot(GetTransactionSnapshot());
		GetActiveSnapshot()->curcid = command;
	});
}

Hindsight::~Hindsight()
{
	if (std::uncaught_exceptions() == exceptions_)
		PopActiveSnapshot();
}

bool Hindsight::reaches(const Version &version) const
{
	return guard([&] {
		Relation table = try_relation_open(version.leaf, AccessShareLock);
		const bool same = table && table->rd_node.relNode == version.file;
		if (table)
			relation_close(table, NoLock);
		return same;
	});
}

TupleTableSlot *Hindsight::at(const RowType &type, const Version &version) const
{
	const Found found = guard([&] { return fetch(type, version); });
	return in_shape(type, version.leaf, slot_of(found.descriptor, found.tuple));
}

TupleTableSlot *Hindsight::last(const RowType &type, Version version, const Moves &moves) const
{
	for (;;) {
		const Found found = guard([&] { return fetch(type, version); });
		if (!found.tuple)
			return nullptr;
		if (!guard([&] { return is_replaced(found.tuple, command_); }))
			return in_shape(type, version.leaf, slot_of(found.descriptor, found.tuple));
		if (!go_to_next(version, found.tuple, moves))
			return nullptr;
	}
}

void finish_deferred(bool preparing)
{
	guard([&] {
		do
			AfterTriggerFireDeferred();
		while (PreCommit_Portals(preparing));
	});
}

} // namespace automation::pg
