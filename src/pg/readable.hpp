// Inside the wall: whether the current user may read what a body names of the changed row.
#pragma once

#include "pg/body.hpp"

namespace automation::pg {

// Raises an error unless he may read whatever it names of old and new: they are handed to it, so
// nothing else asks. Nor may a policy show him fewer rows than the trigger shows him.
void require_readable(Query *body, Oid relation);

// Raises an error if a policy of the table hides rows from the role.
void require_all_rows(Oid relation, Oid role);

} // namespace automation::pg
