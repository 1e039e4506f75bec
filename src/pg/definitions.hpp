// When the definitions a backend has cached are out of date.
#pragma once

#include "pg/spi.hpp"

namespace automation::pg {

// Registers for invalidations; once per backend, from _PG_init.
void follow_definitions();
// Grows with every change of a rule, and of a table that definitions() was told to depend on.
std::uint64_t definitions_generation();
// This backend reads the rules again: which of them may run has changed without them.
void expire_definitions();
// Grows, besides, whenever somebody stops or resumes a rule for a row.
std::uint64_t holds_generation();
void follow_holds();
void announce_change_of_holds();
// Relations whose change (a renamed column, say) makes the cached definitions stale.
void depend_on(Oid relation);
void forget_dependencies();
// Tells every backend, before its next statement, that rules have changed.
void announce_change_of_definitions();

} // namespace automation::pg
