// Where the data of a server come from, as told by the files that PostgreSQL leaves behind when it
// begins with a backup or recovers from an archive.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace automation::core {

// What a timeline's history file says of recoveries after that WAL position: where one was told to
// end, as in "before 2026-11-28 17:00:00+00"; the last, should there be several. One that went to
// the end of the WAL, as a standby does that is promoted, has lost nothing that anybody could know.
std::optional<std::string> chosen_end(std::string_view history, std::uint64_t since);

// What a backup's label says.
struct Backup {
	std::uint64_t begun_at = 0; // WAL position
	std::uint32_t timeline = 0;
	std::string time;
};
std::optional<Backup> parse_backup_label(std::string_view label);

} // namespace automation::core
