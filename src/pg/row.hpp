// What happened to a row of a watched table: its image before and after, and what differs.
#pragma once

#include "pg/definitions.hpp"
#include "pg/spi.hpp"
#include "pg/whereabouts.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct FunctionCallInfoBaseData;
struct TupleDescData;
struct TupleTableSlot;
struct AttrMap;

namespace automation::pg {

enum class Event { insert, update, remove };

// The shape of a watched table's rows; allocated in the current memory, dropped with it.
class RowType {
public:
	explicit RowType(Oid relation);
	RowType(const RowType &) = delete;
	RowType &operator=(const RowType &) = delete;

	Oid relation() const { return relation_; }
	// The table has this shape still; pass: or somebody else has locked it, and it is asked again.
	enum class Lock { wait, pass };
	bool is_current(Lock lock) const;
	Oid type() const;
	int columns() const;
	std::string name() const; // of the table
	std::string column_name(int column) const;
	int column_number(const std::string &name) const; // 0 when there is none
	TupleDescData *descriptor() const { return descriptor_; }
	TupleTableSlot *no_row() const // all NULL: the image that does not exist
	{
		return no_row_;
	}
	// A partition or child may order its columns differently: how to read its rows as ours; null
	// when no conversion is needed.
	AttrMap *conversion_from(Oid leaf, TupleDescData *descriptor) const;

private:
	struct Conversion {
		Oid leaf;
		AttrMap *map;
	};
	Oid relation_;
	TupleDescData *descriptor_;
	TupleTableSlot *no_row_;
	mutable Basis basis_;
	mutable std::vector<Conversion> conversions_;
};

// One row change in the shape of its RowType. Lives inside one trigger call.
class RowChange {
public:
	RowChange(Event event, const RowType &type, TupleTableSlot *old_row, TupleTableSlot *new_row,
		const Place &place = {})
		: event_(event), type_(type), old_(old_row), new_(new_row), place_(place)
	{
	}

	Event event() const { return event_; }
	const RowType &type() const { return type_; }
	TupleTableSlot *old_row() const { return old_; }
	TupleTableSlot *new_row() const { return new_; }
	// Of the version that the change has left; nowhere for a deleted row.
	const Place &place() const { return place_; }
	// The same event, and the row as this transaction has made it since it was there; none when it
	// has gone from there.
	std::optional<RowChange> read_at(const Place &from) const;
	RowChange placed(const Place &place) const; // the same images, and where the row is
	// From the old row to this one.
	RowChange update_to(Datum row, const Place &place) const;
	// The INSERT half of a move to another partition, as the UPDATE that it is.
	RowChange after_leaving(const Place &left) const;
	// The row before the change, as if it had just been written.
	RowChange as_it_was() const { return RowChange(Event::insert, type_, type_.no_row(), old_); }
	// By value: the same bytes are equal, and so are 2 and 2.00.
	bool changed(int column) const;
	bool changed_anything() const;
	// Hash of the column in the image that stands for the row (new, or old of a deleted row), by a
	// type's hash function; none for NULL.
	std::optional<std::uint32_t> hash(int column, Oid function, Oid collation) const;
	// The images as composite values; none for the one that does not exist.
	std::optional<Datum> old_value() const;
	std::optional<Datum> new_value() const;
	std::optional<std::string> old_text(int column) const; // by the type's output function
	std::optional<std::string> new_text(int column) const;

private:
	std::optional<Datum> composite(TupleTableSlot *slot) const;
	std::optional<std::string> text(TupleTableSlot *slot, int column) const;
	Event event_;
	const RowType &type_;
	TupleTableSlot *old_, *new_;
	Place place_;
	mutable std::vector<signed char> memo_; // per column: 0 unknown, 1 same, 2 changed
};

// A call of the capture trigger.
class TriggerCall {
public:
	explicit TriggerCall(FunctionCallInfoBaseData *call); // checks that it is one
	int entity() const; // the trigger's argument: never the relation's name or oid
	Event event() const;
	// A row that goes to another partition is a DELETE there, marked so, and an INSERT here.
	bool moved_away() const;
	unsigned int command() const;	   // the command that made the change: joins the two halves
	static unsigned int transaction(); // numbers this backend's transactions
	Place left() const;				   // where the row was, or has been inserted
	Oid file() const; // of the leaf: another one when the table has been rewritten since
	// Whether the row was, before the change, as the commands below this number had left it.
	bool is_first_since(unsigned int number) const;
	RowChange change(const RowType &type) const;
	Oid relation() const; // the leaf

private:
	FunctionCallInfoBaseData *call_;
};

int truncated_entity(FunctionCallInfoBaseData *call); // of the TRUNCATE trigger

// A row given as a composite value, as if it had just been written.
RowChange change_of(const RowType &type, Event event, std::optional<Datum> old_row,
	std::optional<Datum> new_row, const Place &place = {});

// jsonb_populate_record over the row type.
Datum row_from_json(const ActAs &identity, Oid row_type, std::string_view json);

} // namespace automation::pg
