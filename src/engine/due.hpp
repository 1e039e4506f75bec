// What was planned: done when it is due, ended when the row has been touched.
#pragma once

#include "pg/spi.hpp"

#include <chrono>

namespace automation::engine {

// Does what is due now, at most so many plans; answers how many it has dealt with. What somebody
// else has locked it leaves for the next time.
int tick(int most);
// Until something is due; milliseconds::max(): nothing is planned, or may be done.
std::chrono::milliseconds next_due();

struct Task;
void settle(const Task &task);	// its row has been touched
bool perform(const Task &task); // its time has come; false: somebody else has locked what it needs

} // namespace automation::engine
