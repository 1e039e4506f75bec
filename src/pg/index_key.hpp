// What of a compiled condition can be known without evaluating it.
#pragma once

#include "pg/spi.hpp"

#include <cstdint>
#include <vector>

namespace automation::pg {

// `new.column = constant`, or one of some constants: what the rule index is made of.
struct Equality {
	int column;
	Oid function; // the type's hash function
	Oid collation;
	std::vector<std::uint32_t> hashes; // of the constants
};

struct IndexKey {
	std::vector<Equality> equalities;
	std::vector<int> watched; // columns that must have changed
};

// A function that is gone has none.
IndexKey index_key_of(Oid function);

bool function_exists(Oid function);

} // namespace automation::pg
