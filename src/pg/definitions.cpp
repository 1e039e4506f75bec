#include "pg/postgres.hpp"

#include "pg/definitions.hpp"

namespace automation::pg {

namespace {

std::uint64_t generation = 1;
std::uint64_t hold_changes = 0;
Oid holds = InvalidOid;
Oid *dependencies = nullptr; // in TopMemoryContext
int dependency_count = 0;
int dependency_capacity = 0;

bool depends_on(Oid relation)
{
	for (int i = 0; i < dependency_count; ++i)
		if (dependencies[i] == relation)
			return true;
	return false;
}

// Invalidation callbacks may neither fail nor allocate.
void relation_changed(::Datum, Oid relation)
{
	if (!OidIsValid(relation) || depends_on(relation))
		++generation;
	else if (relation == holds)
		++hold_changes;
}

// What is prepared for a call knows the function's language and who may call it; a message, its
// channel, which may be dropped and made again.
void object_changed(::Datum, int, uint32)
{
	++generation;
}

Oid table_called(const char *name)
{
	return get_relname_relid(name, get_namespace_oid("automation", true));
}

} // namespace

void follow_definitions()
{
	CacheRegisterRelcacheCallback(relation_changed, 0);
	CacheRegisterSyscacheCallback(PROCOID, object_changed, 0);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, object_changed, 0);
}

std::uint64_t definitions_generation()
{
	return generation;
}

void expire_definitions()
{
	++generation;
}

void depend_on(Oid relation)
{
	if (depends_on(relation))
		return;
	guard([&] {
		if (dependency_count == dependency_capacity) {
			const int capacity = dependency_capacity ? dependency_capacity * 2 : 32;
			const Size size = capacity * sizeof(Oid);
			dependencies =
				static_cast<Oid *>(dependencies ? repalloc(dependencies, size)
												: MemoryContextAlloc(TopMemoryContext, size));
			dependency_capacity = capacity;
		}
		dependencies[dependency_count++] = relation;
	});
}

// The table of rules itself stands for all definitions.
void forget_dependencies()
{
	dependency_count = 0;
	depend_on(guard([] { return table_called("rule"); }));
}

void announce_change_of_definitions()
{
	guard([] { CacheInvalidateRelcacheByRelid(table_called("rule")); });
}

std::uint64_t holds_generation()
{
	return generation + hold_changes;
}

void follow_holds()
{
	holds = guard([] { return table_called("hold"); });
}

void announce_change_of_holds()
{
	guard([] { CacheInvalidateRelcacheByRelid(table_called("hold")); });
}

} // namespace automation::pg
