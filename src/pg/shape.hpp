// Rows in an entity's own shape. For src/pg alone.
#pragma once

#include "pg/postgres.hpp"

#include "pg/row.hpp"

namespace automation::pg {

// Inside a guard: in the shape of the type, in memory of its own.
inline TupleTableSlot *kept(const RowType &type, AttrMap *map, TupleTableSlot *slot)
{
	TupleTableSlot *shaped = slot;
	if (map)
		shaped =
			execute_attr_map_slot(map, slot, MakeTupleTableSlot(type.descriptor(), &TTSOpsVirtual));
	return ExecCopySlot(MakeTupleTableSlot(type.descriptor(), &TTSOpsHeapTuple), shaped);
}

} // namespace automation::pg
