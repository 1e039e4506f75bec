// Starts a worker in every database that has the extension.
#pragma once

#include "pg/spi.hpp"

namespace automation::worker {

void launcher_main(pg::Datum argument); // entry point of the process

} // namespace automation::worker
