// Which subtransactions are rolled back: for what C++ remembers of a transaction.
#pragma once

#include <cstdint>

namespace automation::pg {

// Of the present subtransaction. What begins later has a higher number.
std::uint32_t subtransaction_number();

// Whatever has happened under this number or a higher one has not happened.
using Undone = void(std::uint32_t number) noexcept; // may not allocate

// Once per backend, from _PG_init.
void follow_rollbacks(Undone *undone);

} // namespace automation::pg
