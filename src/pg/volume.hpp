// The log and the outbox are kept in volumes, of which one is written: sql/install/volume.sql.
#pragma once

#include "pg/insertion.hpp"

namespace automation::pg {

int volume(); // the one that is written

// What run, step_run, delivery or attempt is called there, in schema automation.
Target in_volume(const char *table);

} // namespace automation::pg
