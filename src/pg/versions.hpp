// Versions of a row that a transaction leaves behind, found again before it ends.
#pragma once

#include "pg/row.hpp"

#include <compare>
#include <cstdint>
#include <map>

namespace automation::pg {

// Where a version of a row is. Small: a transaction may change a million rows.
struct Version {
	Oid leaf;
	Oid file; // another one when the table has been rewritten since
	std::uint32_t block;
	std::uint16_t offset;

	auto operator<=>(const Version &) const = default;
};
Version version_of(const HeapTupleData *departed, Oid leaf);

// Of rows that have gone to another partition: which version is which.
using Moves = std::map<Version, Version>;

// The commands of this transaction that have ended are those below this number.
unsigned int next_command();

// Looks back at what the commands below a number have left, whatever has been done since.
class Hindsight {
public:
	explicit Hindsight(unsigned int command);
	~Hindsight(); // while an exception passes, the abort does it
	Hindsight(const Hindsight &) = delete;
	Hindsight &operator=(const Hindsight &) = delete;

	// Whether the version can still be found.
	bool reaches(const Version &version) const;
	// In the shape of the entity, in the current memory.
	TupleTableSlot *at(const RowType &type, const Version &version) const;
	// What it has become by then; null: the row is gone.
	TupleTableSlot *last(const RowType &type, Version version, const Moves &moves) const;

private:
	unsigned int command_;
	int exceptions_ = std::uncaught_exceptions();
};

// What deferred constraints and cursors have left to be done before the transaction can end.
void finish_deferred(bool preparing);

} // namespace automation::pg
