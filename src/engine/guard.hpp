// Guards: the only rules that may end a write.
#pragma once

#include "engine/rulebook.hpp"

namespace automation::engine {

// Lets the change pass, or ends the write with the guard's message. A guard that cannot be judged
// lets nothing pass: what it is there for may be somebody's life. True: it was overridden.
bool stand_guard(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event);

} // namespace automation::engine
