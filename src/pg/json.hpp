// Reads what compiled steps return: jsonb objects.
#pragma once

#include "pg/spi.hpp"

#include <optional>
#include <string>
#include <vector>

struct JsonbContainer;
struct JsonbValue;

namespace automation::pg {

// The texts under a key: one for a string or number, several for an array, none when it is missing.
std::vector<std::optional<std::string>> json_texts(Datum object, const char *key);
bool has_key(Datum object, const char *key);
std::string json_text(Datum value); // the whole of it
// {"id": 5} as 5, a composite key as the object's text.
std::string key_text(Datum key);

// The members of an object, each by its name.
class JsonObject {
public:
	explicit JsonObject(Datum object); // good as long as the current memory
	std::size_t size() const;
	bool has(const char *name) const { return find(name) != nullptr; }
	std::optional<std::string> text(const char *name) const; // as ->> gives it
	std::optional<std::string> json(const char *name) const; // as JSON; none: null or missing
	Datum member(const char *name) const;					 // jsonb; 0: null or missing

private:
	JsonbValue *find(const char *name) const;
	JsonbContainer *object_;
};

extern const Oid jsonb_type;

} // namespace automation::pg
