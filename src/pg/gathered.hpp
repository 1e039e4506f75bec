// Rows that wait for the end of a statement. For src/pg alone: see pg/gathering.
#pragma once

#include "pg/insertion.hpp"
#include "pg/memory.hpp"

#include <cstdint>
#include <vector>

struct HeapTupleData;
struct TupleDescData;

namespace automation::pg {

// What the statement of one level has gathered.
class Gathered {
public:
	// False: the table may refuse a row, which is then a matter of its run.
	bool add(const Target &target, std::span<const Value> values, std::size_t columns);
	// What is added from now on does not belong to what was added until now.
	void begin_group() { ++groups_; }
	bool is_empty() const { return rows_ == 0; }
	// More rows than that, or much memory, which what has been undone takes, too.
	bool is_too_much(std::size_t most_rows) const;
	// Ahead of the end, in whatever subtransaction is under way: when that is undone they wait on.
	void insert_ahead();
	void conclude(); // inserts them, unless that has been done, and clears
	void clear() noexcept;
	void forget(std::uint32_t subtransaction) noexcept;

private:
	struct Row {
		HeapTupleData *tuple;
		std::uint32_t subtransaction;
		int group;
	};
	// Rows for one table.
	struct Heap {
		Target target;
		Oid relation;
		TupleDescData *columns; // null: somebody has put a trigger or a constraint on it
		std::vector<Row> rows = {};
	};

	Heap &heap_for(const Target &target);
	void insert_all() const;
	std::optional<Error> try_to_insert(int group = 0) const;
	static void insert(const Heap &heap, int group);

	Memory memory_{"pg_automation gathered rows", Memory::Life::backend};
	std::vector<Heap> heaps_ = {};
	std::size_t rows_ = 0;
	int groups_ = 1;
	std::uint32_t ahead_ = 0; // the subtransaction that has inserted them; 0: none
};

} // namespace automation::pg
