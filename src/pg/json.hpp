// Reads what compiled steps return: jsonb objects.
#pragma once

#include "pg/spi.hpp"

#include <optional>
#include <string>
#include <vector>

namespace automation::pg {

// The texts under a key: one for a string or number, several for an array, none when it is missing.
std::vector<std::optional<std::string>> json_texts(Datum object, const char *key);
bool has_key(Datum object, const char *key);
std::string json_text(Datum value); // the whole of it
// {"id": 5} as 5, a composite key as the object's text.
std::string key_text(Datum key);

extern const Oid jsonb_type;

} // namespace automation::pg
