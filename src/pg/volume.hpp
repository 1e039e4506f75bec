// The log and the outbox are kept in volumes, of which one is written: sql/install/volume.sql.
#pragma once

#include "pg/insertion.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>

namespace automation::pg {

constexpr int volumes = 6;

int volume(); // the one that is written

// What run, step_run, delivery or attempt is called there, in schema automation.
Target in_volume(const char *table);

// A statement about rows of which nobody knows the volume. What is worked on lies together, as a
// rule where the last was found: there it is looked for first, and mostly nowhere else.
class VolumeStatement {
public:
	// Each %v in the command stands for what a volume's tables have behind their names.
	constexpr explicit VolumeStatement(const char *command) : command_(command) {}

	// Hands over the rows of one volume after another, until there have been as many as wanted.
	template <typename Take>
	void execute(std::uint64_t wanted, std::initializer_list<Value> values, Take &&take)
	{
		const int first = last_hit_;
		for (int i = 0; i < volumes && wanted > 0; ++i) {
			const int number = (first + volumes - i) % volumes;
			const Rows rows = statement(number).execute(values);
			if (rows.size() == 0)
				continue;
			last_hit_ = number;
			wanted -= std::min(wanted, rows.size());
			take(rows);
		}
	}

private:
	Statement &statement(int number);
	const char *command_;
	int last_hit_ = 0;
	std::array<Statement *, volumes> statements_ = {}; // never destroyed
};

} // namespace automation::pg
