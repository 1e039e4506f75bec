// Rows as slots in an entity's own shape. For src/pg alone.
#pragma once

#include "pg/postgres.hpp"

#include "pg/row.hpp"

namespace automation::pg {

// A partition or child may order its columns differently.
inline TupleTableSlot *in_shape(const RowType &type, Oid leaf, TupleTableSlot *slot)
{
	AttrMap *map = type.conversion_from(leaf, slot->tts_tupleDescriptor);
	if (!map)
		return slot;
	return guard([&] {
		TupleTableSlot *converted = MakeTupleTableSlot(type.descriptor(), &TTSOpsVirtual);
		return execute_attr_map_slot(map, slot, converted);
	});
}

inline TupleTableSlot *slot_of(TupleDesc descriptor, HeapTuple tuple)
{
	return guard([&] {
		TupleTableSlot *slot = MakeTupleTableSlot(descriptor, &TTSOpsHeapTuple);
		return ExecStoreHeapTuple(tuple, slot, false);
	});
}

inline TupleTableSlot *slot_with(const RowType &type, ::Datum row)
{
	return guard([&] {
		HeapTupleHeader header = DatumGetHeapTupleHeader(row);
		auto *tuple = static_cast<HeapTuple>(palloc0(sizeof(HeapTupleData)));
		tuple->t_len = HeapTupleHeaderGetDatumLength(header);
		tuple->t_data = header;
		return ExecStoreHeapTuple(
			tuple, MakeTupleTableSlot(type.descriptor(), &TTSOpsHeapTuple), false);
	});
}

} // namespace automation::pg
