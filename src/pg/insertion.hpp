// Rows for the engine's own tables, without what a statement costs beside them: a run leaves two or
// three for each row that a writer writes.
#pragma once

#include "pg/spi.hpp"

#include <initializer_list>
#include <span>
#include <string>

namespace automation::pg {

// Inserts into automation.table as INSERT would, triggers and indexes included: values of its first
// columns, in their order; the others are NULL.
void insert_into(const std::string &table, std::initializer_list<Value> values);
// Several rows, one after the other.
void insert_into(const std::string &table, std::span<const Value> values, std::size_t columns);

Value current_transaction(); // its number, of type xid8

} // namespace automation::pg
