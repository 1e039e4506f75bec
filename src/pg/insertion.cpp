#include "pg/postgres.hpp"

#include "pg/identity.hpp"
#include "pg/insertion.hpp"

namespace automation::pg {

namespace {

// Inside a guard, as all of these.
Relation open_table(const std::string &name)
{
	return table_open(
		get_relname_relid(name.c_str(), get_namespace_oid("automation", false)), RowExclusiveLock);
}

void fill(TupleTableSlot *slot, const Value *values, int count)
{
	const TupleDesc columns = slot->tts_tupleDescriptor;
	ExecStoreAllNullTuple(slot);
	for (int i = 0; i < count; ++i) {
		if (i >= columns->natts ||
			TupleDescAttr(columns, i)->atttypid != detail::type_oid(values[i]))
			elog(ERROR, "column %d of the engine's table is not of the type expected", i + 1);
		slot->tts_isnull[i] = values[i].is_null;
		if (!values[i].is_null)
			slot->tts_values[i] = detail::make_datum(values[i]);
	}
}

// Their locks stay as the table's does: to let go of them for each row costs as much as a row.
void close_indexes(const ResultRelInfo *target)
{
	for (int i = 0; i < target->ri_NumIndices; ++i)
		index_close(target->ri_IndexRelationDescs[i], NoLock);
}

void insert_rows(Relation table, const Value *values, int columns, int rows)
{
	EState *executor = CreateExecutorState();
	MemoryContext before = MemoryContextSwitchTo(executor->es_query_cxt);
	executor->es_output_cid = GetCurrentCommandId(true);
	ResultRelInfo *target = makeNode(ResultRelInfo);
	InitResultRelInfo(target, table, 0, nullptr, 0);
	TupleTableSlot *row = MakeSingleTupleTableSlot(RelationGetDescr(table), &TTSOpsVirtual);
	AfterTriggerBeginQuery();
	ExecOpenIndices(target, false);
	for (int i = 0; i < rows; ++i) {
		fill(row, values + i * columns, columns);
		ExecSimpleRelationInsert(target, executor, row);
	}
	close_indexes(target);
	AfterTriggerEndQuery(executor);
	ExecDropSingleTupleTableSlot(row);
	ExecResetTupleTable(executor->es_tupleTable, false);
	MemoryContextSwitchTo(before);
	FreeExecutorState(executor);
}

} // namespace

Value current_transaction()
{
	return Value::datum(
		guard([] { return U64FromFullTransactionId(GetTopFullTransactionId()); }), XID8OID);
}

void insert_into(const std::string &table, std::initializer_list<Value> values)
{
	insert_into(table, {values.begin(), values.size()}, values.size());
}

void insert_into(const std::string &table, std::span<const Value> values, std::size_t columns)
{
	const EngineOnly identity;
	guard([&] {
		Relation relation = open_table(table);
		insert_rows(relation, values.data(), static_cast<int>(columns),
			static_cast<int>(values.size() / columns));
		table_close(relation, NoLock);
	});
}

} // namespace automation::pg
