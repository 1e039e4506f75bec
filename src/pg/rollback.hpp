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
void follow_ends(Undone *undone); // the same, and hears of 0 when a transaction is over

// To be called before a transaction commits (false) or is prepared (true): may do whatever a
// deferred trigger may.
using Conclude = void(Datum preparing);
void before_commit(Conclude *conclude); // once per backend, from _PG_init

} // namespace automation::pg
