// What a rule's expressions are compiled against: the SQL type automation._scope.
#pragma once

#include "core/template.hpp"
#include "pg/spi.hpp"

#include <string>

struct FunctionCallInfoBaseData;

namespace automation::pg {

struct Scope {
	Datum value; // the composite itself, to hand on to SQL
	Oid type;
	Oid row_relation; // the type of old and new
	Oid owner;
};

Scope scope_argument(FunctionCallInfoBaseData *call, int number); // from 0

core::Category category_of(Oid type); // what a type is to a template

bool is_time_zone(const std::string &name); // one of pg_timezone_names, no POSIX string

} // namespace automation::pg
