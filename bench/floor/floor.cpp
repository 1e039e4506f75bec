// What lies beneath the write path: the same work done by the bare minimum of code. One trigger
// does nothing; the other one makes a message of six fields, a row of a log and a row of an outbox,
// with the indexes that ours have, and nothing is asked, checked or undone on the way.
#include "pg/postgres.hpp"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT Datum floor_nothing(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum floor_outbox(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(floor_nothing);
PG_FUNCTION_INFO_V1(floor_outbox);
}

namespace {

Oid relation_in_bench(const char *name)
{
	return get_relname_relid(name, get_namespace_oid("bench", false));
}

// Values in the order of the table's columns; the rest is null.
class NewRow {
public:
	void add(Datum value) { values_[count_++] = value; }
	void add_text(const char *text) { add(CStringGetTextDatum(text)); }
	void skip() { nulls_[count_++] = true; }

	void insert_into(const char *table)
	{
		Relation relation = table_open(relation_in_bench(table), RowExclusiveLock);
		for (int i = count_; i < RelationGetDescr(relation)->natts; ++i)
			nulls_[i] = true;
		EState *executor = CreateExecutorState();
		ResultRelInfo *target = makeNode(ResultRelInfo);
		InitResultRelInfo(target, relation, 0, nullptr, 0);
		ExecOpenIndices(target, false);
		TupleTableSlot *slot =
			MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsHeapTuple);
		ExecStoreHeapTuple(
			heap_form_tuple(RelationGetDescr(relation), values_, nulls_), slot, false);
		executor->es_output_cid = GetCurrentCommandId(true);
		table_tuple_insert(relation, slot, executor->es_output_cid, 0, nullptr);
		ExecInsertIndexTuples(target, slot, executor, false, false, nullptr, NIL);
		ExecDropSingleTupleTableSlot(slot);
		ExecCloseIndices(target);
		FreeExecutorState(executor);
		table_close(relation, NoLock);
	}

private:
	static constexpr int most = 20;
	Datum values_[most] = {};
	bool nulls_[most] = {};
	int count_ = 0;
};

void push_text(JsonbParseState **state, JsonbIteratorToken token, const char *text)
{
	JsonbValue value{};
	value.type = jbvString;
	value.val.string.val = const_cast<char *>(text);
	value.val.string.len = static_cast<int>(strlen(text));
	pushJsonbValue(state, token, &value);
}

Datum object_of(const char *const *fields, int count)
{
	JsonbParseState *state = nullptr;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
	for (int i = 0; i + 1 < count; i += 2) {
		push_text(&state, WJB_KEY, fields[i]);
		push_text(&state, WJB_VALUE, fields[i + 1]);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
}

Datum next_number(const char *sequence)
{
	return Int64GetDatum(nextval_internal(relation_in_bench(sequence), false));
}

} // namespace

Datum floor_nothing(PG_FUNCTION_ARGS)
{
	(void)fcinfo;
	return PointerGetDatum(nullptr);
}

Datum floor_outbox(PG_FUNCTION_ARGS)
{
	const auto *data = reinterpret_cast<TriggerData *>(fcinfo->context);
	TupleDesc columns = RelationGetDescr(data->tg_relation);
	const auto text_at = [&](HeapTuple row, int column) {
		return SPI_getvalue(row, columns, column);
	};
	const char *key = text_at(data->tg_newtuple, 1);
	const char *old_status = text_at(data->tg_trigtuple, 5),
			   *new_status = text_at(data->tg_newtuple, 5);
	const char *message[] = {"eid", key, "tenant", text_at(data->tg_newtuple, 2), "old", old_status,
		"status", new_status, "amount", text_at(data->tg_newtuple, 7), "notes",
		text_at(data->tg_newtuple, 9)};
	const char *changes[] = {old_status, new_status};
	const char *steps[] = {
		"step", "1", "action", "send_webhook", "status", "delivering", "deliveries", "1"};
	const Datum now = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());

	NewRow delivery;
	delivery.add(next_number("delivery_id"));
	delivery.add(now);
	delivery.add(
		Int64GetDatum(static_cast<int64>(U64FromFullTransactionId(GetTopFullTransactionId()))));
	delivery.add(Int64GetDatum(1)); // run
	delivery.add(Int16GetDatum(1)); // step
	delivery.add(ObjectIdGetDatum(10));
	delivery.add(ObjectIdGetDatum(16'384)); // server
	delivery.add_text("nowhere");
	delivery.add_text("webhook");
	delivery.add_text("/");
	delivery.add(Int16GetDatum(1)); // priority
	delivery.add(object_of(message, lengthof(message)));

	NewRow run;
	run.add(next_number("run_id"));
	run.add(now);
	run.add(Int32GetDatum(1)); // rule
	run.add(Int32GetDatum(1)); // version
	run.add(Int32GetDatum(1)); // entity
	run.add_text(key);
	run.add_text("updated");
	run.add(object_of(changes, lengthof(changes)));
	run.add_text("delivering");
	run.skip();
	run.skip();
	run.add(object_of(steps, lengthof(steps)));
	run.add(Int16GetDatum(0)); // depth
	run.skip();
	run.add_text("postgres");

	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	BeginInternalSubTransaction(nullptr);
	MemoryContextSwitchTo(memory);
	delivery.insert_into("delivery");
	run.insert_into("run");
	ReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	return PointerGetDatum(nullptr);
}
