#include "pg/shape.hpp"

#include "pg/hindsight.hpp"

namespace automation::pg {

namespace {

// By a command of this transaction below the number, and for good.
bool is_replaced(HeapTuple tuple, CommandId command)
{
	HeapTupleHeader header = tuple->t_data;
	return !(header->t_infomask & HEAP_XMAX_INVALID) && !HeapTupleHeaderIsOnlyLocked(header) &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(header)) &&
		HeapTupleHeaderGetCmax(header) < command;
}

struct Version {
	TupleTableSlot *row = nullptr; // in the shape of the entity
	bool is_replaced = false;
	bool has_moved = false;
	Place next = {}; // nowhere: it was deleted
};

Place next_of(HeapTuple tuple, Oid table)
{
	ItemPointer next = &tuple->t_data->t_ctid;
	if (ItemPointerEquals(next, &tuple->t_self))
		return {};
	return {table, ItemPointerGetBlockNumber(next), ItemPointerGetOffsetNumber(next)};
}

// The transaction still has the lock on the table that it took to change the row.
Version version_at(const RowType &type, const Place &place, CommandId command)
{
	Relation table = guard([&] { return relation_open(place.table, AccessShareLock); });
	AttrMap *map = type.conversion_from(place.table, RelationGetDescr(table));
	return guard([&] {
		Version version;
		TupleTableSlot *slot = table_slot_create(table, nullptr);
		ItemPointerData address;
		ItemPointerSet(&address, place.block, place.item);
		if (table_tuple_fetch_row_version(table, &address, SnapshotAny, slot)) {
			bool is_copy = false;
			HeapTuple tuple = ExecFetchSlotHeapTuple(slot, false, &is_copy);
			version.is_replaced = is_replaced(tuple, command);
			version.has_moved =
				version.is_replaced && HeapTupleHeaderIndicatesMovedPartitions(tuple->t_data);
			if (version.is_replaced && !version.has_moved)
				version.next = next_of(tuple, place.table);
			version.row = kept(type, map, slot);
		}
		ExecDropSingleTupleTableSlot(slot);
		relation_close(table, NoLock);
		return version;
	});
}

} // namespace

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

bool Hindsight::reaches(const Place &version, Oid file) const
{
	return guard([&] {
		Relation table = try_relation_open(version.table, AccessShareLock);
		const bool same = table && table->rd_node.relNode == file;
		if (table)
			relation_close(table, NoLock);
		return same;
	});
}

Image Hindsight::at(const RowType &type, const Place &version) const
{
	return {version_at(type, version, command_).row, version};
}

Image Hindsight::last(const RowType &type, Place place, const Moves &moves) const
{
	while (place) {
		const Version version = version_at(type, place, command_);
		if (!version.is_replaced)
			return version.row ? Image{version.row, place} : Image{};
		const auto move = version.has_moved ? moves.find(place) : moves.end();
		place = move == moves.end() ? version.next : move->second;
	}
	return {};
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
