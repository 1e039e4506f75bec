#include "pg/postgres.hpp"

#include "pg/entry.hpp"
#include "pg/gathering.hpp"
#include "pg/identity.hpp"
#include "pg/memory.hpp"
#include "pg/rollback.hpp"
#include "pg/statements.hpp"
#include "pg/tuples.hpp"

#include <vector>

namespace automation::pg {

namespace {

struct Gathered {
	HeapTuple tuple;
	std::uint32_t subtransaction;
	int group;
};

// Rows for one table.
struct Heap {
	Target target;
	Oid relation;
	TupleDesc columns; // null: it may refuse a row, which is then a matter of its run
	std::vector<Gathered> rows = {};
};

// What the statement of one level has gathered.
struct Store {
	Memory memory{"pg_automation gathered rows", Memory::Life::backend};
	std::vector<Heap> heaps = {};
	std::size_t rows = 0;
	int groups = 0;

	void forget(std::uint32_t subtransaction) noexcept
	{
		for (Heap &heap : heaps)
			for (; !heap.rows.empty() && heap.rows.back().subtransaction >= subtransaction; --rows)
				heap.rows.pop_back();
	}
	void clear() noexcept
	{
		heaps.clear();
		rows = 0;
		memory.reset();
	}
};

} // namespace

// Of statements within statements; its store is made when it first gathers, and never destroyed.
struct detail::Level {
	std::uint32_t subtransaction;
	bool alone; // no row is expected after the one that is being captured
	bool captures;
	Store *store;
};

namespace {

using detail::Level;

// What goes deeper ends with the last of these.
constexpr int most_levels = 64;
Level levels[most_levels];
int depth = 0;
bool gathers = false;

Level *present()
{
	return depth == 0 ? nullptr : &levels[depth - 1];
}

// Somebody has put a trigger or a constraint on it.
bool may_refuse(Relation table)
{
	const TupleConstr *constraints = RelationGetDescr(table)->constr;
	return table->trigdesc || (constraints && constraints->num_check > 0);
}

Heap &heap_for(Store &store, const Target &target)
{
	for (Heap &heap : store.heaps)
		if (heap.target == target)
			return heap;
	const Oid relation = detail::table_of(target);
	const InMemory inside(store.memory);
	TupleDesc columns = guard([&] {
		// The lock says that the volume is in use.
		Relation table = table_open(relation, RowExclusiveLock);
		TupleDesc copy = may_refuse(table) ? nullptr : CreateTupleDescCopy(RelationGetDescr(table));
		table_close(table, NoLock);
		return copy;
	});
	return store.heaps.emplace_back(Heap{target, relation, columns});
}

// All of them, or those of one group.
void insert(const Heap &heap, int group)
{
	std::vector<HeapTuple> tuples;
	for (const Gathered &row : heap.rows)
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

std::optional<Error> try_to_insert(const Store &store, int group = 0)
{
	return subtransaction([&] {
		const EngineOnly identity;
		for (const Heap &heap : store.heaps)
			insert(heap, group);
	});
}

// What cannot be recorded has not happened, and the write goes on; the others are.
void insert_all(const Store &store)
{
	if (!try_to_insert(store))
		return;
	for (int group = 1; group <= store.groups; ++group)
		if (const std::optional<Error> error = try_to_insert(store, group))
			error->log("rows of a run");
}

int begin_statement(bool alone)
{
	const int before = depth;
	if (depth < most_levels)
		levels[depth++] = {GetCurrentSubTransactionId(), alone, false, levels[before].store};
	return before;
}

void insert_rest(::Datum)
{
	insert_gathered();
}

// An error leaves it to forget().
void end_statement(int before)
{
	Store *store = depth > before ? present()->store : nullptr;
	if (store && store->rows > 0)
		enter_worker<insert_rest>(0);
	if (store && !store->heaps.empty())
		store->clear();
	depth = before;
}

} // namespace

Capturing::Capturing() : level_(present()), before_(level_ && std::exchange(level_->captures, true))
{
}

// A cascade or a WITH clause may bring more rows than the statement says that it has touched.
Capturing::~Capturing()
{
	if (!level_)
		return;
	level_->captures = before_;
	level_->alone = false;
}

Gathering::Gathering() : before_(gathers)
{
	Level *level = present();
	gathers = level && level->captures && !level->alone;
	if (gathers && level->store)
		++level->store->groups;
}

Gathering::~Gathering()
{
	gathers = before_;
}

bool gather(const Target &target, std::span<const Value> values, std::size_t columns)
{
	if (!gathers)
		return false;
	Level &level = *present();
	if (!level.store)
		level.store = new Store{.groups = 1};
	Store &store = *level.store;
	Heap &heap = heap_for(store, target);
	if (!heap.columns)
		return false;
	for (; !values.empty(); values = values.subspan(columns)) {
		HeapTuple tuple = guard([&] {
			return detail::make_tuple(heap.columns, values.data(), columns, store.memory.context());
		});
		heap.rows.push_back({tuple, subtransaction_number(), store.groups});
		++store.rows;
	}
	return true;
}

void insert_gathered(std::size_t more_than)
{
	const Level *level = present();
	if (!level || !level->store || level->store->rows <= more_than ||
		level->subtransaction != subtransaction_number())
		return;
	insert_all(*level->store);
	level->store->clear();
}

namespace {

void forget(std::uint32_t subtransaction) noexcept
{
	for (; depth > 0 && present()->subtransaction >= subtransaction; --depth)
		if (Store *store = present()->store)
			store->clear();
	for (int i = 0; i < depth; ++i)
		if (levels[i].store)
			levels[i].store->forget(subtransaction);
}

} // namespace

void gather_by_statements()
{
	follow_statements({begin_statement, end_statement});
	follow_ends(forget);
}

} // namespace automation::pg
