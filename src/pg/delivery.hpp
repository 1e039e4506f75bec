// What the core says of deliveries, for SQL.
#pragma once

#include "pg/spi.hpp"

struct FunctionCallInfoBaseData;

namespace automation::pg {

Datum delivery_state(FunctionCallInfoBaseData *call); // (attempted, outcome, planned, held)
Datum may_send_again(FunctionCallInfoBaseData *call); // (state)
Datum check_delivery(FunctionCallInfoBaseData *call); // (jsonb: what a step says)

} // namespace automation::pg
