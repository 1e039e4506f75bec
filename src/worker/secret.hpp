// Secrets that credentials refer to by name: files of one directory.
#pragma once

#include <string>

namespace automation::worker {

// Without the line end at its end. Throws Failure when it cannot be read, and when others than its
// owner and group could read it: 58P01, 42501, 55000.
std::string read_secret(const std::string &directory, const std::string &name);

} // namespace automation::worker
