// Whether this server's data are those of an earlier moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace automation::pg {

// A sentence on how the data, after that WAL position of theirs, came to be set back: by a recovery
// that was told where to end, or by a start from a backup. Nothing: they were not. A standby that
// was promoted goes on where its primary has ended.
std::optional<std::string> set_back_since(std::uint64_t position);

} // namespace automation::pg
