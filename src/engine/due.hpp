// What was planned: done when it is due, ended when the row has been touched.
#pragma once

#include "pg/spi.hpp"

namespace automation::engine {

// Does what is due now, at most so many plans; answers how many it has dealt with. What somebody
// else has locked it leaves for the next time.
int tick(int most);

// Lets the transaction's clock go on by an interval, doing on the way what comes due.
int advance(pg::Datum interval);

} // namespace automation::engine
