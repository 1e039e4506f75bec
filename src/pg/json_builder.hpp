// Makes jsonb piece by piece: there is no text to be parsed.
#pragma once

#include "pg/spi.hpp"

struct JsonbParseState;

namespace automation::pg {

// What it makes lives in the memory that was current when it was asked to finish.
class JsonBuilder {
public:
	JsonBuilder &begin_object();
	JsonBuilder &end_object();
	JsonBuilder &begin_array();
	JsonBuilder &end_array();
	JsonBuilder &key(std::string_view name);
	// An element, or the value of the key before it.
	JsonBuilder &text(std::string_view text);
	JsonBuilder &number(std::int64_t number);
	JsonBuilder &null();
	JsonBuilder &json(std::string_view text); // parsed all the same
	Value finish();

private:
	JsonbParseState *state_ = nullptr;
	void *made_ = nullptr;
};

} // namespace automation::pg
