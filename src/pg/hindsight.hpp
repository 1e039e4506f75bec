// What a transaction has made of a row, seen before it ends.
#pragma once

#include "pg/row.hpp"

#include <map>

namespace automation::pg {

// The commands of this transaction that have ended are those below this number.
unsigned int next_command();

// Of rows that have gone to another partition: which version is which.
using Moves = std::map<Place, Place>;

struct Image {
	TupleTableSlot *row = nullptr; // in the shape of the entity, in the current memory; null: none
	Place place = {};
};

// Looks back at what the commands below a number have left, whatever has been done since.
class Hindsight {
public:
	explicit Hindsight(unsigned int command);
	~Hindsight(); // while an exception passes, the abort does it
	Hindsight(const Hindsight &) = delete;
	Hindsight &operator=(const Hindsight &) = delete;

	// Whether the version can still be found: the table was in this file then.
	bool reaches(const Place &version, Oid file) const;
	Image at(const RowType &type, const Place &version) const;
	// What it has become by then.
	Image last(const RowType &type, Place version, const Moves &moves) const;

private:
	unsigned int command_;
	int exceptions_ = std::uncaught_exceptions();
};

// Does what deferred constraints and cursors have left to be done before the transaction can end.
void finish_deferred(bool preparing);

} // namespace automation::pg
