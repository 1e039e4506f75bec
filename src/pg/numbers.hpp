// Arrays of numbers, as definitions store them.
#pragma once

#include "pg/spi.hpp"

#include <vector>

namespace automation::pg {

// The elements of a smallint[], integer[], bigint[] or oid[]; none for NULL.
std::vector<std::int64_t> numbers_at(const Rows &rows, std::uint64_t row, int column);

} // namespace automation::pg
