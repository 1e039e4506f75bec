// What becomes of transactions and their parts: for what C++ remembers of them.
#pragma once

#include "pg/spi.hpp"

#include <cstdint>

namespace automation::pg {

// Of the present subtransaction. What begins later has a higher number.
std::uint32_t subtransaction_number();

// Whatever has happened under this number or a higher one has not happened.
using Undone = void(std::uint32_t number) noexcept; // may not allocate

// Once per backend and caller, from _PG_init.
void follow_rollbacks(Undone *undone);

// To be called before a transaction commits (false) or is prepared (true): may do whatever a
// deferred trigger may.
using Conclude = void(Datum preparing);
// Once per backend, from _PG_init; undone hears of 0 when all is over.
void follow_transactions(Conclude *conclude, Undone *undone);

} // namespace automation::pg
