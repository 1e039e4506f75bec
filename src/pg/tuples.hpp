// Tuples of the engine's tables, for insertion.cpp and gathering.cpp; all but table_of() are called
// inside a guard.
#pragma once

#include "pg/insertion.hpp"

struct HeapTupleData;
struct MemoryContextData;
struct RelationData;
struct TupleDescData;

namespace automation::pg::detail {

Oid table_of(const Target &target);
HeapTupleData *make_tuple(
	TupleDescData *columns, const Value *values, std::size_t count, MemoryContextData *memory);
void insert_tuples(RelationData *table, std::span<HeapTupleData *> tuples);

} // namespace automation::pg::detail
