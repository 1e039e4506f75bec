// What the log says of the columns that a rule watches.
#pragma once

#include "engine/rule.hpp"
#include "pg/row.hpp"
#include "pg/spi.hpp"

namespace automation::engine {

// Those that changed: {"status": ["Scheduled", "Dispatched"]}; null when it is no update.
pg::Value changes_of(const Rule &rule, const pg::RowChange &change);

} // namespace automation::engine
