// Inside the wall: values that jsonb is made of. They point to what they are made from.
#pragma once

#include "pg/postgres.hpp"

namespace automation::pg {

// Inside a guard.
JsonbValue null_value();
JsonbValue text_value(const char *characters, int length);
// What JSON has no number for is a text, as to_jsonb() has it.
JsonbValue number_value(Numeric number);
JsonbValue json_value(Jsonb *value);

} // namespace automation::pg
