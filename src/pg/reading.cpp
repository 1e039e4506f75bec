#include "pg/postgres.hpp"

#include "pg/reading.hpp"
#include "pg/tuples.hpp"

#include <algorithm>

namespace automation::pg {

namespace {

// Inside a guard, as all of these.
bool is_of(Oid index, std::initializer_list<int> columns, bool partial)
{
	HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	if (!HeapTupleIsValid(tuple))
		return false;
	const auto *form = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
	const bool is = form->indisvalid &&
		heap_attisnull(tuple, Anum_pg_index_indpred, nullptr) != partial &&
		std::equal(columns.begin(), columns.end(), form->indkey.values,
			form->indkey.values + form->indnkeyatts);
	ReleaseSysCache(tuple);
	return is;
}

// One of some rows only is taken where there is none of all, and finds those.
Relation open_index(Relation table, std::initializer_list<int> columns)
{
	List *indexes = RelationGetIndexList(table);
	for (const bool partial : {false, true})
		for (int i = 0; i < list_length(indexes); ++i) {
			if (!is_of(list_nth_oid(indexes, i), columns, partial))
				continue;
			Relation index = index_open(list_nth_oid(indexes, i), AccessShareLock);
			if (index->rd_rel->relam == BTREE_AM_OID)
				return index;
			index_close(index, AccessShareLock);
		}
	elog(ERROR, "table \"%s\" has no such index", RelationGetRelationName(table));
}

RegProcedure comparison(Oid type, bool above)
{
	switch (type) {
	case INT2OID:
		return above ? F_INT2GT : F_INT2EQ;
	case INT8OID:
		return above ? F_INT8GT : F_INT8EQ;
	case OIDOID:
		return above ? F_OIDGT : F_OIDEQ;
	case TIMESTAMPTZOID:
		return above ? F_TIMESTAMPTZ_GT : F_TIMESTAMPTZ_EQ;
	case XID8OID:
		return above ? F_XID8GT : F_XID8EQ;
	default:
		elog(ERROR, "the engine's tables are not read by such a column");
	}
}

ScanKeyData key(int column, const Value &value, bool above)
{
	ScanKeyData key;
	ScanKeyInit(&key, static_cast<AttrNumber>(column),
		above ? BTGreaterStrategyNumber : BTEqualStrategyNumber,
		comparison(detail::type_oid(value), above), detail::make_datum(value));
	return key;
}

// A version that has found no place beside the one before it is entered into the indexes anew.
void enter_into_indexes(Relation table, TupleTableSlot *row)
{
	EState *executor = CreateExecutorState();
	MemoryContext before = MemoryContextSwitchTo(executor->es_query_cxt);
	ResultRelInfo *target = makeNode(ResultRelInfo);
	InitResultRelInfo(target, table, 0, nullptr, 0);
	ExecOpenIndices(target, false);
	ExecInsertIndexTuples(target, row, executor, true, false, nullptr, NIL);
	ExecCloseIndices(target);
	ExecResetTupleTable(executor->es_tupleTable, false);
	MemoryContextSwitchTo(before);
	FreeExecutorState(executor);
}

} // namespace

Reading::Reading(const Target &target, std::initializer_list<int> columns)
{
	const Oid relation = detail::table_of(target);
	guard([&] {
		table_ = table_open(relation, AccessShareLock);
		index_ = open_index(table_, columns);
		row_ = table_slot_create(table_, nullptr);
	});
}

Reading::~Reading()
{
	if (std::uncaught_exceptions() > exceptions_)
		return; // the abort lets go of all
	detail::run_guarded_noexcept(
		[](void *reading) {
			const auto *self = static_cast<Reading *>(reading);
			ExecDropSingleTupleTableSlot(self->row_);
			if (self->scan_)
				index_endscan(self->scan_);
			UnregisterSnapshot(self->snapshot_);
			index_close(self->index_, NoLock);
			table_close(self->table_, NoLock);
		},
		this);
}

void Reading::begin()
{
	CommandCounterIncrement();
	snapshot_ = RegisterSnapshot(GetTransactionSnapshot());
}

void Reading::seek(std::initializer_list<Value> equal, const std::optional<Value> &above)
{
	guard([&] {
		if (!snapshot_)
			begin();
		ScanKeyData keys[INDEX_MAX_KEYS];
		int count = 0;
		for (const Value &value : equal) {
			keys[count] = key(count + 1, value, false);
			++count;
		}
		if (above) {
			keys[count] = key(count + 1, *above, true);
			++count;
		}
		ExecClearTuple(row_);
		if (scan_ && keys_ != count) {
			index_endscan(scan_);
			scan_ = nullptr;
		}
		if (!scan_)
			scan_ = index_beginscan(table_, index_, snapshot_, count, 0);
		keys_ = count;
		index_rescan(scan_, keys, count, nullptr, 0);
	});
}

bool Reading::next()
{
	return guard([&] { return index_getnext_slot(scan_, ForwardScanDirection, row_); });
}

Datum Reading::datum(int column) const
{
	return guard([&] {
		bool is_null = false;
		const ::Datum value = slot_getattr(row_, column, &is_null);
		return is_null ? 0 : value;
	});
}

bool Reading::is_null(int column) const
{
	return guard([&] {
		bool is_null = false;
		slot_getattr(row_, column, &is_null);
		return is_null;
	});
}

std::int64_t Reading::integer(int column) const
{
	const Datum value = datum(column);
	switch (TupleDescAttr(row_->tts_tupleDescriptor, column - 1)->attlen) {
	case sizeof(int16):
		return DatumGetInt16(value);
	case sizeof(Oid):
		return DatumGetObjectId(value);
	default:
		return DatumGetInt64(value);
	}
}

std::optional<std::string> Reading::text(int column) const
{
	const Datum value = datum(column);
	if (value == 0)
		return std::nullopt;
	const varlena *characters = guard([&] { return PG_DETOAST_DATUM_PACKED(value); });
	return std::string(VARDATA_ANY(characters), VARSIZE_ANY_EXHDR(characters));
}

bool Reading::change(std::initializer_list<Change> changes)
{
	return guard([&] {
		if (!std::exchange(changes_, true))
			LockRelationOid(RelationGetRelid(table_), RowExclusiveLock);
		if (table_->trigdesc) // which nobody can change any more
			return false;
		int columns[MaxHeapAttributeNumber];
		::Datum values[MaxHeapAttributeNumber];
		bool nulls[MaxHeapAttributeNumber];
		int count = 0;
		for (const Change &change : changes) {
			columns[count] = change.column;
			nulls[count] = change.value.is_null;
			values[count] = change.value.is_null ? 0 : detail::make_datum(change.value);
			++count;
		}
		HeapTuple changed = heap_modify_tuple_by_cols(ExecFetchSlotHeapTuple(row_, false, nullptr),
			RelationGetDescr(table_), count, columns, values, nulls);
		TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(table_), &TTSOpsHeapTuple);
		ExecStoreHeapTuple(changed, slot, false);
		slot->tts_tableOid = RelationGetRelid(table_);
		TM_FailureData failure;
		LockTupleMode lock;
		bool is_moved = false;
		const bool done =
			table_tuple_update(table_, &row_->tts_tid, slot, GetCurrentCommandId(true), snapshot_,
				InvalidSnapshot, true, &failure, &lock, &is_moved) == TM_Ok;
		if (done && is_moved)
			enter_into_indexes(table_, slot);
		ExecDropSingleTupleTableSlot(slot);
		CommandCounterIncrement(); // the next statement sees it
		return done;
	});
}

std::string visible_now()
{
	return guard([]() -> const char * {
		const ::Datum snapshot = OidFunctionCall0Coll(F_PG_CURRENT_SNAPSHOT, InvalidOid);
		return OidOutputFunctionCall(F_PG_SNAPSHOT_OUT, snapshot);
	});
}

} // namespace automation::pg
