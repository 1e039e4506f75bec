// Where a row is: the address of a version of it. To go there directly costs an index nothing, and
// is no read that SERIALIZABLE would count: the version is the transaction's own.
#pragma once

#include "pg/spi.hpp"

#include <cstdint>
#include <tuple>

struct TupleTableSlot;

namespace automation::pg {

struct Place {
	Oid table = 0; // the partition or child itself; 0: nobody knows
	std::uint32_t block = 0;
	std::uint16_t item = 0;

	explicit operator bool() const { return table != 0; }
	bool operator==(const Place &) const = default;
	bool operator<(const Place &other) const
	{
		return std::tie(table, block, item) < std::tie(other.table, other.block, other.item);
	}
};

Place place_of(Oid table, Datum tid);
// A tid, for a statement.
Datum tid_of(const Place &place);
Place place_of(const TupleTableSlot *slot);
// Of the versions that follow each other in one table the last, be the row there or gone from it.
Place last_version(const Place &from);

} // namespace automation::pg
