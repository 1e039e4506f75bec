// The event journal: what happened to rows, kept for who asks later why a rule did not fire.
#pragma once

#include "engine/chapter.hpp"

#include <optional>
#include <string>

namespace automation::engine {

// An image of a row as JSON text.
std::optional<std::string> row_json(const Chapter &chapter, std::optional<pg::Datum> row);

class Journal {
public:
	class Kept; // whatever the setting says

	static bool is_kept();
	static void note(const Chapter &chapter, const pg::RowChange &change);

private:
	static int keepers_;
};

class Journal::Kept {
public:
	Kept() { ++keepers_; }
	~Kept() { --keepers_; }
	Kept(const Kept &) = delete;
	Kept &operator=(const Kept &) = delete;
};

} // namespace automation::engine
