#include "pg/postgres.hpp"

#include "pg/lineage.hpp"

#include "core/lineage.hpp"

#include <fstream>
#include <iterator>

namespace automation::pg {

namespace {

// Relative to the data directory, where every process of a server stands.
std::string contents(const char *path)
{
	std::ifstream file(path, std::ios::binary);
	return {std::istreambuf_iterator<char>(file), {}};
}

// The files change by a recovery alone, and each recovery has a timeline of its own or ends all
// processes.
struct Lineage {
	TimeLineID timeline = 0; // 0: not read yet
	std::string history;
	std::optional<core::Backup> backup;

	void read(TimeLineID current)
	{
		char path[MAXPGPATH];
		TLHistoryFilePath(path, current);
		history = contents(path);
		backup = core::parse_backup_label(contents(BACKUP_LABEL_OLD));
		timeline = current;
	}
};

const Lineage &lineage(TimeLineID current)
{
	static auto *known = new Lineage; // never destroyed
	if (known->timeline != current)
		known->read(current);
	return *known;
}

} // namespace

std::optional<std::string> set_back_since(std::uint64_t position)
{
	if (RecoveryInProgress())
		return std::nullopt;
	const auto &[timeline, history, backup] = lineage(GetWALInsertionTimeLine());
	if (const auto end = core::chosen_end(history, position))
		return "It was recovered to a chosen point: " + *end + ".";
	if (backup && backup->timeline == timeline && backup->begun_at > position)
		return "It was started from a backup of " + backup->time + ".";
	return std::nullopt;
}

} // namespace automation::pg
