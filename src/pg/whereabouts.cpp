#include "pg/shape.hpp"

namespace automation::pg {

namespace {

Place place_at(Oid table, const ItemPointerData *address)
{
	if (!ItemPointerIsValid(address))
		return {};
	return {table, ItemPointerGetBlockNumber(address), ItemPointerGetOffsetNumber(address)};
}

ItemPointerData address_of(const Place &place)
{
	ItemPointerData address;
	ItemPointerSet(&address, place.block, place.item);
	return address;
}

// Inside a guard: the last of the versions, from this one on, that the snapshot sees.
void follow(Relation table, ItemPointerData &address, Snapshot snapshot)
{
	TableScanDesc scan = table_beginscan_tid(table, snapshot);
	table_tuple_get_latest_tid(scan, &address);
	table_endscan(scan);
}

// Sees what the running command has written, and is no read of this transaction's. Mostly nobody
// has changed the row since, and there is nothing to follow.
bool fetch_last(Relation table, ItemPointerData &address, TupleTableSlot *slot)
{
	if (table_tuple_fetch_row_version(table, &address, SnapshotSelf, slot))
		return true;
	follow(table, address, SnapshotSelf);
	return table_tuple_fetch_row_version(table, &address, SnapshotSelf, slot);
}

} // namespace

Place place_of(Oid table, Datum tid)
{
	return place_at(table, reinterpret_cast<ItemPointer>(DatumGetPointer(tid)));
}

Place place_of(const TupleTableSlot *slot)
{
	return place_at(slot->tts_tableOid, &slot->tts_tid);
}

Datum tid_of(const Place &place)
{
	return guard([&] {
		auto *tid = static_cast<ItemPointer>(palloc0(sizeof(ItemPointerData)));
		*tid = address_of(place);
		return PointerGetDatum(tid);
	});
}

Place last_version(const Place &from)
{
	if (!from)
		return {};
	return guard([&] {
		Relation table = relation_open(from.table, AccessShareLock);
		ItemPointerData address = address_of(from);
		if (table->rd_tableam)
			follow(table, address, SnapshotAny);
		relation_close(table, NoLock);
		return place_at(from.table, &address);
	});
}

std::optional<RowChange> RowChange::read_at(const Place &from) const
{
	if (!from)
		return std::nullopt;
	struct Found {
		Place place;
		TupleTableSlot *row;
	};
	Relation table = guard([&] { return relation_open(from.table, AccessShareLock); });
	AttrMap *map = type_.conversion_from(from.table, RelationGetDescr(table));
	const Found found = guard([&] {
		Found version{{}, new_};
		ItemPointerData address = address_of(from);
		if (table->rd_tableam) { // a foreign table has none
			TupleTableSlot *slot = table_slot_create(table, nullptr);
			if (fetch_last(table, address, slot))
				version.place = place_at(from.table, &address);
			if (version.place && version.place != place_)
				version.row = kept(type_, map, slot);
			ExecDropSingleTupleTableSlot(slot);
		}
		relation_close(table, NoLock);
		return version;
	});
	if (!found.place)
		return std::nullopt;
	return RowChange(event_, type_, old_, found.row, found.place);
}

RowChange RowChange::after_leaving(const Place &left) const
{
	Relation table = guard([&] { return relation_open(left.table, AccessShareLock); });
	AttrMap *map = type_.conversion_from(left.table, RelationGetDescr(table));
	TupleTableSlot *row = guard([&] {
		TupleTableSlot *slot = table_slot_create(table, nullptr);
		ItemPointerData address = address_of(left);
		if (!table_tuple_fetch_row_version(table, &address, SnapshotAny, slot))
			elog(ERROR, "could not find the row that went to another partition");
		TupleTableSlot *copy = kept(type_, map, slot);
		ExecDropSingleTupleTableSlot(slot);
		relation_close(table, NoLock);
		return copy;
	});
	return RowChange(Event::update, type_, row, new_, place_);
}

RowChange RowChange::placed(const Place &place) const
{
	return RowChange(event_, type_, old_, new_, place);
}

} // namespace automation::pg
