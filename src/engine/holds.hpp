// Rows for which automation.stop_item() has stopped rules.
#pragma once

#include <string>

namespace automation::engine {

bool is_held(int subject, const std::string &key, int rule);

} // namespace automation::engine
