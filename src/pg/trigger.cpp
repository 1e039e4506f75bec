// The capture trigger's call, read as a RowChange.
#include "pg/postgres.hpp"

#include "pg/row.hpp"

namespace automation::pg {

namespace {

TriggerData *data_of(FunctionCallInfoBaseData *call)
{
	return reinterpret_cast<TriggerData *>(call->context);
}

// The slot in the entity's own shape; a partition or child may order its columns differently.
TupleTableSlot *in_shape(const RowType &type, Oid leaf, TupleTableSlot *slot)
{
	AttrMap *map = type.conversion_from(leaf, slot->tts_tupleDescriptor);
	if (!map)
		return slot;
	return guard([&] {
		TupleTableSlot *converted = MakeTupleTableSlot(type.descriptor(), &TTSOpsVirtual);
		return execute_attr_map_slot(map, slot, converted);
	});
}

TupleTableSlot *slot_with(const RowType &type, ::Datum row)
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

int entity_argument(const TriggerData *data)
{
	if (data->tg_trigger->tgnargs != 1)
		ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			errmsg("the triggers of pg_automation are made by automation.attach()"));
	return pg_strtoint32(data->tg_trigger->tgargs[0]);
}

} // namespace

TriggerCall::TriggerCall(FunctionCallInfoBaseData *call) : call_(call)
{
	guard([&] {
		if (!CALLED_AS_TRIGGER(call) || !TRIGGER_FIRED_FOR_ROW(data_of(call)->tg_event) ||
			!TRIGGER_FIRED_AFTER(data_of(call)->tg_event))
			ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("automation._capture() must be fired AFTER a write FOR EACH ROW"));
	});
}

int TriggerCall::entity() const
{
	return guard([&] { return entity_argument(data_of(call_)); });
}

int truncated_entity(FunctionCallInfoBaseData *call)
{
	return guard([&] {
		if (!CALLED_AS_TRIGGER(call) || !TRIGGER_FIRED_BY_TRUNCATE(data_of(call)->tg_event))
			ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("automation._truncated() must be fired by TRUNCATE"));
		return entity_argument(data_of(call));
	});
}

Event TriggerCall::event() const
{
	const TriggerEvent event = data_of(call_)->tg_event;
	if (TRIGGER_FIRED_BY_INSERT(event))
		return Event::insert;
	return TRIGGER_FIRED_BY_UPDATE(event) ? Event::update : Event::remove;
}

bool TriggerCall::moved_away() const
{
	const TriggerData *data = data_of(call_);
	return TRIGGER_FIRED_BY_DELETE(data->tg_event) && data->tg_relation->rd_rel->relispartition &&
		data->tg_trigtuple && HeapTupleHeaderIndicatesMovedPartitions(data->tg_trigtuple->t_data);
}

unsigned int TriggerCall::command() const
{
	return guard([&] {
		HeapTupleHeader header = data_of(call_)->tg_trigtuple->t_data;
		return TRIGGER_FIRED_BY_DELETE(data_of(call_)->tg_event) ? HeapTupleHeaderGetCmax(header)
																 : HeapTupleHeaderGetCmin(header);
	});
}

Place TriggerCall::left() const
{
	return place_of(data_of(call_)->tg_trigslot);
}

unsigned int TriggerCall::transaction()
{
	return MyProc->lxid;
}

Oid TriggerCall::relation() const
{
	return RelationGetRelid(data_of(call_)->tg_relation);
}

RowChange TriggerCall::change(const RowType &type) const
{
	const TriggerData *data = data_of(call_);
	TupleTableSlot *row = in_shape(type, relation(), data->tg_trigslot);
	switch (event()) {
	case Event::insert:
		return RowChange(Event::insert, type, type.no_row(), row, place_of(data->tg_trigslot));
	case Event::update:
		return RowChange(Event::update, type, row, in_shape(type, relation(), data->tg_newslot),
			place_of(data->tg_newslot));
	default:
		return RowChange(Event::remove, type, row, type.no_row());
	}
}

RowChange change_of(
	const RowType &type, Event event, std::optional<Datum> old_row, std::optional<Datum> new_row)
{
	return RowChange(event, type, old_row ? slot_with(type, *old_row) : type.no_row(),
		new_row ? slot_with(type, *new_row) : type.no_row());
}

Datum row_from_json(const ActAs &identity, Oid row_type, std::string_view json)
{
	const char *type =
		guard([&] { return format_type_extended(row_type, -1, FORMAT_TYPE_FORCE_QUALIFY); });
	Spi spi;
	const std::string command =
		std::string("SELECT pg_catalog.jsonb_populate_record(NULL::") + type + ", $1)";
	const Rows rows =
		spi.execute(identity, command.c_str(), {Value::parse(Value::Type::jsonb, json)});
	const Datum row = rows.datum(0, 1);
	return guard([&] { return datumCopy(row, false, -1); });
}

} // namespace automation::pg
