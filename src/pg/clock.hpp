// The engine's only clock.
#pragma once

#include "pg/spi.hpp"

namespace automation::pg {

Datum now(); // timestamptz: when the transaction began

} // namespace automation::pg
