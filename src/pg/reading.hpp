// Reads rows of the engine's own tables by an index, without what a statement costs beside it: the
// worker looks into the outbox with each of its turns.
#pragma once

#include "pg/insertion.hpp"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

struct IndexScanDescData;
struct RelationData;
struct SnapshotData;
struct TupleTableSlot;

namespace automation::pg {

// Sees what is committed when it seeks for the first time, and what this transaction has done until
// then. Those that are open before one of them seeks miss nothing that moves from table to table
// under a lock.
class Reading {
public:
	// By the index that has these columns of the table, counted from 1.
	Reading(const Target &target, std::initializer_list<int> columns);
	~Reading();
	Reading(const Reading &) = delete;
	Reading &operator=(const Reading &) = delete;

	// The rows in which the index's first columns have these values, in its order; above: those in
	// which the next column has more than that.
	void seek(std::initializer_list<Value> equal, const std::optional<Value> &above = std::nullopt);
	bool next(); // false: there is no other row

	// Of the row, as long as that is the last one.
	bool is_null(int column) const;
	std::int64_t integer(int column) const; // int2, int8, oid, xid8, timestamptz; null is 0
	std::optional<std::string> text(int column) const;
	Datum datum(int column) const; // null is 0

	// Changes the row, as UPDATE would; false: an UPDATE has to do it, since somebody else has
	// changed it meanwhile, or has put triggers on the table. Its key stays.
	struct Change {
		int column;
		Value value;
	};
	bool change(std::initializer_list<Change> changes);

private:
	void begin(); // inside a guard
	RelationData *table_ = nullptr;
	RelationData *index_ = nullptr;
	SnapshotData *snapshot_ = nullptr;
	TupleTableSlot *row_ = nullptr;
	IndexScanDescData *scan_ = nullptr;
	int keys_ = 0;		   // of the scan
	bool changes_ = false; // and has the lock for that
	int exceptions_ = std::uncaught_exceptions();
};

// The snapshot that is active, as pg_snapshot writes it.
std::string visible_now();

} // namespace automation::pg
