// Rows for the engine's own tables, without what a statement costs beside them: a run leaves two or
// three for each row that a writer writes.
#pragma once

#include "pg/spi.hpp"

#include <initializer_list>
#include <span>

namespace automation::pg {

// One of the engine's tables; of the log and the outbox, in the volume that is written.
struct Target {
	const char *name; // a literal
	int volume = 0;
	bool operator==(const Target &other) const
	{
		return volume == other.volume && std::string_view(name) == other.name;
	}
};

// Inserts as INSERT would, triggers and indexes included: values of the table's first columns, in
// their order; the others are NULL. Within a Gathering the rows wait for the end of the statement.
void insert_into(const Target &target, std::initializer_list<Value> values);
// Several rows, together.
void insert_into(const Target &target, std::span<const Value> values, std::size_t columns);

Value current_transaction(); // its number, of type xid8

} // namespace automation::pg
