// Rows that the triggers of a statement leave for its end: inserted together they cost a statement
// of many rows less, and need one subtransaction that writes instead of a thousand. What the only
// row of a statement leaves is inserted as it goes: it would only have one subtransaction more.
//
// A statement is over when its executor is (or COPY): before the next one of the transaction begins
// its rows are there. Where nobody would tell us of the end, nothing is gathered.
#pragma once

#include "pg/insertion.hpp"

#include <cstdint>

namespace automation::pg {

namespace detail {
struct Level;
}

// The capture trigger is being called by the statement that is under way.
class Capturing {
public:
	Capturing();
	~Capturing();
	Capturing(const Capturing &) = delete;
	Capturing &operator=(const Capturing &) = delete;

private:
	detail::Level *level_;
	bool before_;
};

// While it lives, insert_into() gathers, if the capture trigger has led here. What is inserted in
// one Gathering belongs together.
class Gathering {
public:
	Gathering();
	~Gathering();
	Gathering(const Gathering &) = delete;
	Gathering &operator=(const Gathering &) = delete;

private:
	bool before_;
};

// False: the rows are to be inserted now.
bool gather(const Target &target, std::span<const Value> values, std::size_t columns);
// Inserts what the statement has gathered so far, if it is more rows than that, or much memory.
void insert_gathered(std::size_t more_than = 0);
// And what those have that it runs within: for who looks at all that the transaction has done.
void insert_all_gathered();

// Once per backend, from _PG_init.
void gather_by_statements();

} // namespace automation::pg
