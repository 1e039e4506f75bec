// A memory context as an object: what is allocated inside dies with it.
#pragma once

struct MemoryContextData;

namespace automation::pg {

class Memory {
public:
	enum class Life { statement, backend }; // who frees it at the latest

	Memory(const char *name, Life life); // name: a literal
	~Memory();
	Memory(const Memory &) = delete;
	Memory &operator=(const Memory &) = delete;

	void reset();
	MemoryContextData *context() const { return context_; }

private:
	MemoryContextData *context_;
};

// Allocations go to the given memory while it lives.
class InMemory {
public:
	explicit InMemory(const Memory &memory);
	~InMemory();
	InMemory(const InMemory &) = delete;
	InMemory &operator=(const InMemory &) = delete;

private:
	MemoryContextData *before_;
};

} // namespace automation::pg
