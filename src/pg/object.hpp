// Inside the wall: JSON objects without what jsonb_build_object() asks the catalog about each value
// of each row: that is half of what a message costs.
#pragma once

#include "pg/postgres.hpp"

namespace automation::pg {

// The same expression, in which automation._object() makes each object whose keys are constants and
// whose values are of a type that it knows. Inside a guard.
Node *with_quick_objects(Node *expression);
// The SQL function automation._object("any", ...): keys, each followed by its value.
Datum object(FunctionCallInfoBaseData *call);

} // namespace automation::pg
