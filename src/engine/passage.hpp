// Time as tests let it pass.
#pragma once

#include "pg/spi.hpp"

namespace automation::engine {

// Lets the transaction's clock go on by an interval, doing on the way what comes due.
int advance(pg::Datum interval);

// The same for what this transaction has planned under numbers higher than this; the rest waits.
void advance_own(std::int64_t since, pg::Datum interval);

} // namespace automation::engine
