// Secrets that credentials refer to by name: files of the directory, in the folder of the one host
// that they may be sent to. So whoever makes a channel cannot have a secret sent elsewhere.
#pragma once

#include <string>

namespace automation::worker {

// Without the line end at its end. Throws Failure when it cannot be read, and when others than its
// owner and group could read it: 58P01, 42501, 55000.
std::string read_secret(
	const std::string &directory, const std::string &host, const std::string &name);

} // namespace automation::worker
