#include "pg/postgres.hpp"

#include "pg/gathering.hpp"
#include "pg/identity.hpp"
#include "pg/insertion.hpp"
#include "pg/own_relation.hpp"
#include "pg/tuples.hpp"

namespace automation::pg {

namespace {

// Together they cost a part of what each costs alone.
constexpr int most_together = 100;

// Inside a guard, as all of these.

// Their locks stay as the table's does: to let go of them for each row costs as much as a row.
void close_indexes(const ResultRelInfo *target)
{
	for (int i = 0; i < target->ri_NumIndices; ++i)
		index_close(target->ri_IndexRelationDescs[i], NoLock);
}

// Somebody has put triggers on it.
void insert_one_by_one(
	ResultRelInfo *target, EState *executor, TupleTableSlot *slot, std::span<HeapTuple> tuples)
{
	AfterTriggerBeginQuery();
	for (HeapTuple tuple : tuples) {
		ExecStoreHeapTuple(tuple, slot, false);
		ExecSimpleRelationInsert(target, executor, slot);
	}
	AfterTriggerEndQuery(executor);
}

void insert_together(
	ResultRelInfo *target, EState *executor, TupleTableSlot **slots, std::span<HeapTuple> tuples)
{
	Relation table = target->ri_RelationDesc;
	const int count = static_cast<int>(tuples.size());
	for (int i = 0; i < count; ++i) {
		ExecStoreHeapTuple(tuples[static_cast<std::size_t>(i)], slots[i], false);
		if (RelationGetDescr(table)->constr)
			ExecConstraints(target, slots[i], executor);
	}
	// What does not belong to its slot would be copied; what does is freed with it, and these may
	// be inserted once more.
	for (int i = 0; i < count; ++i)
		slots[i]->tts_flags |= TTS_FLAG_SHOULDFREE;
	heap_multi_insert(table, slots, count, executor->es_output_cid, 0, nullptr);
	for (int i = 0; i < count; ++i)
		slots[i]->tts_flags &= static_cast<uint16>(~TTS_FLAG_SHOULDFREE);
	for (int i = 0; i < count; ++i) {
		ExecInsertIndexTuples(target, slots[i], executor, false, false, nullptr, NIL);
		ResetPerTupleExprContext(executor);
	}
}

std::string name_of(const Target &target)
{
	return target.volume == 0 ? target.name : target.name + ("_" + std::to_string(target.volume));
}

} // namespace

Oid detail::table_of(const Target &target)
{
	return own_relation(name_of(target));
}

HeapTupleData *detail::make_tuple(
	TupleDescData *columns, const Value *values, std::size_t count, MemoryContextData *memory)
{
	::Datum datums[MaxHeapAttributeNumber];
	bool nulls[MaxHeapAttributeNumber];
	const auto known = static_cast<std::size_t>(columns->natts);
	for (std::size_t i = 0; i < std::max(count, known); ++i) {
		if (i < count && (i >= known || TupleDescAttr(columns, i)->atttypid != type_oid(values[i])))
			elog(ERROR, "column %zu of the engine's table is not of the type expected", i + 1);
		nulls[i] = i >= count || values[i].is_null;
		datums[i] = nulls[i] ? 0 : make_datum(values[i]);
	}
	MemoryContext before = MemoryContextSwitchTo(memory);
	HeapTuple tuple = heap_form_tuple(columns, datums, nulls);
	MemoryContextSwitchTo(before);
	return tuple;
}

void detail::insert_tuples(RelationData *table, std::span<HeapTupleData *> tuples)
{
	EState *executor = CreateExecutorState();
	MemoryContext before = MemoryContextSwitchTo(executor->es_query_cxt);
	executor->es_output_cid = GetCurrentCommandId(true);
	ResultRelInfo *target = makeNode(ResultRelInfo);
	InitResultRelInfo(target, table, 0, nullptr, 0);
	ExecOpenIndices(target, false);
	const int slot_count = std::min(most_together, static_cast<int>(tuples.size()));
	TupleTableSlot *slots[most_together];
	for (int i = 0; i < slot_count; ++i)
		slots[i] = MakeSingleTupleTableSlot(RelationGetDescr(table), &TTSOpsHeapTuple);
	if (target->ri_TrigDesc)
		insert_one_by_one(target, executor, slots[0], tuples);
	else
		for (; !tuples.empty();
			 tuples = tuples.subspan(std::min<std::size_t>(most_together, tuples.size())))
			insert_together(target, executor, slots,
				tuples.first(std::min<std::size_t>(most_together, tuples.size())));
	for (int i = 0; i < slot_count; ++i)
		ExecDropSingleTupleTableSlot(slots[i]);
	close_indexes(target);
	ExecResetTupleTable(executor->es_tupleTable, false);
	MemoryContextSwitchTo(before);
	FreeExecutorState(executor);
}

Value current_transaction()
{
	return Value::datum(
		guard([] { return U64FromFullTransactionId(GetTopFullTransactionId()); }), XID8OID);
}

void insert_into(const Target &target, std::initializer_list<Value> values)
{
	insert_into(target, {values.begin(), values.size()}, values.size());
}

void insert_into(const Target &target, std::span<const Value> values, std::size_t columns)
{
	if (gather(target, values, columns))
		return;
	const EngineOnly identity;
	const Oid relation = detail::table_of(target);
	guard([&] {
		Relation table = table_open(relation, RowExclusiveLock);
		const std::size_t count = values.size() / columns;
		auto **tuples = static_cast<HeapTuple *>(palloc(count * sizeof(HeapTuple)));
		for (std::size_t i = 0; i < count; ++i)
			tuples[i] = detail::make_tuple(RelationGetDescr(table), values.data() + i * columns,
				columns, CurrentMemoryContext);
		detail::insert_tuples(table, {tuples, count});
		table_close(table, NoLock);
	});
}

} // namespace automation::pg
