// A background worker that uses the wall.
#pragma once

#include <string>

namespace automation::wall {

std::string execute_in_transaction(const std::string &query);

// Starts it and waits until it has ended; it leaves rows in wall.report.
void start_worker(const std::string &library);

} // namespace automation::wall
