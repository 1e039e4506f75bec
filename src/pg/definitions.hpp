// When what a backend has cached of the definitions is out of date.
#pragma once

#include "pg/spi.hpp"

#include <vector>

struct FunctionCallInfoBaseData;

namespace automation::pg {

// Registers for invalidations; once per backend, from _PG_init.
void follow_definitions();
// Grows with every change of a rule, an attached table, a link or a channel.
std::uint64_t definitions_generation();
// Grows with every change that anything cached may rest on.
std::uint64_t changes_seen();
// This backend reads the rules again: which of them may run has changed without them.
void expire_definitions();
// Tells every backend, before its next statement, that rules have changed.
void announce_change_of_definitions();

// The same of the table whose statement trigger this is, for what rests on it.
Datum announce_change_of_table(FunctionCallInfoBaseData *call);

// What something was made from, and so what it stands on: it falls with a change of one of these,
// or of anybody's rights.
class Basis {
public:
	void rest_on_relation(Oid relation);
	void rest_on_table(const char *name); // of the engine's
	void rest_on_function(Oid function);
	bool stands() const { return changes() == seen_; }
	void renew() { seen_ = changes(); }

private:
	std::uint64_t changes() const;
	std::vector<std::uint32_t> relations_ = {}, functions_ = {}; // numbers of counters
	std::uint64_t seen_ = 0;
};

} // namespace automation::pg
