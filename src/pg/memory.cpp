#include "pg/postgres.hpp"

#include "pg/error.hpp"
#include "pg/memory.hpp"

namespace automation::pg {

Memory::Memory(const char *name, Life life)
	: context_(guard([&] {
		  return AllocSetContextCreateInternal(
			  life == Life::backend ? CacheMemoryContext : CurrentMemoryContext, name,
			  ALLOCSET_SMALL_SIZES);
	  }))
{
}

// Deleting a context cannot fail; while an error passes, one of statement life may be gone already
// with its parent, so only PostgreSQL's abort frees that kind then.
Memory::~Memory()
{
	if (context_)
		MemoryContextDelete(context_);
}

void Memory::reset()
{
	MemoryContextReset(context_);
}

InMemory::InMemory(const Memory &memory) : before_(MemoryContextSwitchTo(memory.context())) {}

InMemory::~InMemory()
{
	MemoryContextSwitchTo(before_);
}

} // namespace automation::pg
