#include "pg/postgres.hpp"

#include "pg/changed.hpp"
#include "pg/row.hpp"

namespace automation::pg {

namespace {

Form_pg_attribute attribute(const RowType &type, int column)
{
	return TupleDescAttr(type.descriptor(), column - 1);
}

bool same_in(const RowType &type, int column, TupleTableSlot *before, TupleTableSlot *after)
{
	bool null_before = false, null_after = false;
	const ::Datum value_before = slot_getattr(before, column, &null_before);
	const ::Datum value_after = slot_getattr(after, column, &null_after);
	if (null_before || null_after)
		return null_before == null_after;
	Form_pg_attribute described = attribute(type, column);
	return same_value(described->atttypid, described->attcollation, value_before, value_after);
}

} // namespace

RowType::RowType(Oid relation) : relation_(relation)
{
	basis_.rest_on_relation(relation);
	basis_.renew();
	guard([&] {
		Relation table = relation_open(relation, AccessShareLock);
		descriptor_ = CreateTupleDescCopyConstr(RelationGetDescr(table));
		descriptor_->tdtypeid = RelationGetForm(table)->reltype;
		descriptor_->tdtypmod = -1;
		no_row_ = MakeTupleTableSlot(descriptor_, &TTSOpsVirtual);
		ExecStoreAllNullTuple(no_row_);
		relation_close(table, NoLock);
	});
}

bool RowType::is_current(Lock lock) const
{
	if (basis_.stands())
		return true;
	enum class Found { same, other, busy };
	const Found found = guard([&] {
		if (lock == Lock::wait)
			LockRelationOid(relation_, AccessShareLock);
		else if (!ConditionalLockRelationOid(relation_, AccessShareLock))
			return Found::busy;
		Found shape = Found::other;
		if (Relation table = try_relation_open(relation_, NoLock)) {
			TupleDesc descriptor = CreateTupleDescCopyConstr(RelationGetDescr(table));
			descriptor->tdtypeid = descriptor_->tdtypeid;
			descriptor->tdtypmod = -1;
			if (equalTupleDescs(descriptor, descriptor_))
				shape = Found::same;
			relation_close(table, NoLock);
		}
		if (lock == Lock::pass)
			UnlockRelationOid(relation_, AccessShareLock);
		return shape;
	});
	if (found == Found::busy)
		return true;
	// Not before it is known: an error leaves the question open.
	basis_.renew();
	conversions_.clear();
	return found == Found::same;
}

Oid RowType::type() const
{
	return descriptor_->tdtypeid;
}

int RowType::columns() const
{
	return descriptor_->natts;
}

std::string RowType::name() const
{
	return guard([&]() -> const char * { return get_rel_name(relation_); });
}

std::string RowType::column_name(int column) const
{
	return NameStr(TupleDescAttr(descriptor_, column - 1)->attname);
}

int RowType::column_number(const std::string &name) const
{
	for (int column = 1; column <= columns(); ++column)
		if (!TupleDescAttr(descriptor_, column - 1)->attisdropped && column_name(column) == name)
			return column;
	return 0;
}

AttrMap *RowType::conversion_from(Oid leaf, TupleDescData *descriptor) const
{
	if (leaf == relation_)
		return nullptr;
	for (const Conversion &known : conversions_)
		if (known.leaf == leaf)
			return known.map;
	AttrMap *map = guard([&] {
		MemoryContext before = MemoryContextSwitchTo(GetMemoryChunkContext(descriptor_));
		AttrMap *built = build_attrmap_by_name_if_req(descriptor, descriptor_);
		MemoryContextSwitchTo(before);
		return built;
	});
	conversions_.push_back({leaf, map});
	return map;
}

bool RowChange::changed(int column) const
{
	if (memo_.empty())
		memo_.resize(static_cast<std::size_t>(type_.columns()) + 1);
	signed char &memo = memo_[static_cast<std::size_t>(column)];
	if (memo == 0)
		memo = guard([&] { return same_in(type_, column, old_, new_); }) ? 1 : 2;
	return memo == 2;
}

bool RowChange::changed_anything() const
{
	for (int column = 1; column <= type_.columns(); ++column)
		if (!attribute(type_, column)->attisdropped && changed(column))
			return true;
	return false;
}

std::optional<std::uint32_t> RowChange::hash(int column, Oid function, Oid collation) const
{
	struct Outcome {
		std::uint32_t hash;
		bool is_null = false;
	};
	TupleTableSlot *image = event_ == Event::remove ? old_ : new_;
	const Outcome outcome = guard([&] {
		bool is_null = false;
		const ::Datum value = slot_getattr(image, column, &is_null);
		return Outcome{
			is_null ? 0 : DatumGetUInt32(OidFunctionCall1Coll(function, collation, value)),
			is_null};
	});
	return outcome.is_null ? std::nullopt : std::optional(outcome.hash);
}

std::optional<Datum> RowChange::composite(TupleTableSlot *slot) const
{
	if (slot == type_.no_row())
		return std::nullopt;
	return guard([&] {
		bool should_free = false;
		HeapTuple tuple = ExecFetchSlotHeapTuple(slot, false, &should_free);
		return heap_copy_tuple_as_datum(tuple, type_.descriptor());
	});
}

std::optional<Datum> RowChange::old_value() const
{
	return composite(old_);
}

std::optional<Datum> RowChange::new_value() const
{
	return composite(new_);
}

std::optional<std::string> RowChange::text(TupleTableSlot *slot, int column) const
{
	const char *characters = guard([&]() -> const char * {
		bool is_null = false;
		const ::Datum value = slot_getattr(slot, column, &is_null);
		if (is_null)
			return nullptr;
		Oid output = InvalidOid;
		bool is_varlena = false;
		getTypeOutputInfo(attribute(type_, column)->atttypid, &output, &is_varlena);
		return OidOutputFunctionCall(output, value);
	});
	return characters ? std::optional<std::string>(characters) : std::nullopt;
}

std::optional<std::string> RowChange::old_text(int column) const
{
	return text(old_, column);
}

std::optional<std::string> RowChange::new_text(int column) const
{
	return text(new_, column);
}

} // namespace automation::pg
