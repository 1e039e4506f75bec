// The log and the outbox are kept in volumes, of which one is written: sql/install/volume.sql.
#pragma once

#include <string>

namespace automation::pg {

int volume(); // the one that is written

// What run, step_run, delivery or attempt is called there, in schema automation.
std::string in_volume(const char *table);

} // namespace automation::pg
