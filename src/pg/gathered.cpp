#include "pg/postgres.hpp"

#include "pg/gathered.hpp"
#include "pg/identity.hpp"
#include "pg/rollback.hpp"
#include "pg/tuples.hpp"

namespace automation::pg {

namespace {

constexpr std::size_t most_memory = 8'388'608; // bytes

// Somebody has put a trigger or a constraint on it.
bool may_refuse(Relation table)
{
	const TupleConstr *constraints = RelationGetDescr(table)->constr;
	return table->trigdesc || (constraints && constraints->num_check > 0);
}

} // namespace

bool Gathered::add(const Target &target, std::span<const Value> values, std::size_t columns)
{
	if (ahead_)
		return false;
	Heap &heap = heap_for(target);
	if (!heap.columns)
		return false;
	for (; !values.empty(); values = values.subspan(columns)) {
		HeapTuple tuple = guard([&] {
			return detail::make_tuple(heap.columns, values.data(), columns, memory_.context());
		});
		heap.rows.push_back({tuple, subtransaction_number(), groups_});
		++rows_;
	}
	return true;
}

bool Gathered::is_too_much(std::size_t most_rows) const
{
	return rows_ > most_rows || ahead_ ||
		MemoryContextMemAllocated(memory_.context(), true) > most_memory;
}

Gathered::Heap &Gathered::heap_for(const Target &target)
{
	for (Heap &heap : heaps_)
		if (heap.target == target)
			return heap;
	const Oid relation = detail::table_of(target);
	const InMemory inside(memory_);
	TupleDesc columns = guard([&] {
		// The lock says that the volume is in use.
		Relation table = table_open(relation, RowExclusiveLock);
		TupleDesc copy = may_refuse(table) ? nullptr : CreateTupleDescCopy(RelationGetDescr(table));
		table_close(table, NoLock);
		return copy;
	});
	return heaps_.emplace_back(Heap{target, relation, columns});
}

// All of them, or those of one group.
void Gathered::insert(const Heap &heap, int group)
{
	std::vector<HeapTuple> tuples;
	for (const Row &row : heap.rows)
		if (group == 0 || row.group == group)
			tuples.push_back(row.tuple);
	if (tuples.empty())
		return;
	guard([&] {
		Relation table = table_open(heap.relation, RowExclusiveLock);
		detail::insert_tuples(table, tuples);
		table_close(table, NoLock);
	});
}

std::optional<Error> Gathered::try_to_insert(int group) const
{
	return subtransaction([&] {
		const EngineOnly identity;
		for (const Heap &heap : heaps_)
			insert(heap, group);
	});
}

// What cannot be recorded has not happened, and the write goes on; the others are.
void Gathered::insert_all() const
{
	if (is_empty() || !try_to_insert())
		return;
	for (int group = 1; group <= groups_; ++group)
		if (const std::optional<Error> error = try_to_insert(group))
			error->log("rows of a run");
}

void Gathered::insert_ahead()
{
	if (is_empty() || ahead_)
		return;
	ahead_ = subtransaction_number();
	insert_all();
}

void Gathered::conclude()
{
	if (!ahead_)
		insert_all();
	clear();
}

void Gathered::clear() noexcept
{
	groups_ = 1;
	if (heaps_.empty())
		return;
	heaps_.clear();
	rows_ = 0;
	ahead_ = 0;
	memory_.reset();
}

void Gathered::forget(std::uint32_t subtransaction) noexcept
{
	if (ahead_ >= subtransaction)
		ahead_ = 0;
	for (Heap &heap : heaps_)
		for (; !heap.rows.empty() && heap.rows.back().subtransaction >= subtransaction; --rows_)
			heap.rows.pop_back();
}

} // namespace automation::pg
