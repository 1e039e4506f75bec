// Makes jsonb piece by piece: there is no text to be parsed.
#pragma once

#include "pg/spi.hpp"

#include <vector>

namespace automation::pg {

class JsonBuilder {
public:
	JsonBuilder &begin_object() { return add(Token::begin_object); }
	JsonBuilder &end_object() { return add(Token::end_object); }
	JsonBuilder &begin_array() { return add(Token::begin_array); }
	JsonBuilder &end_array() { return add(Token::end_array); }
	JsonBuilder &key(std::string_view name) { return add(Token::key, name); }
	// An element, or the value of the key before it.
	JsonBuilder &text(std::string_view text) { return add(Token::text, text); }
	JsonBuilder &number(std::int64_t number) { return add(Token::number, {}, number); }
	JsonBuilder &null() { return add(Token::null); }
	JsonBuilder &json(std::string_view text)
	{
		return add(Token::json, text);
	} // parsed all the same
	// In the memory that is current now.
	Value finish() const;

private:
	enum class Token {
		begin_object,
		end_object,
		begin_array,
		end_array,
		key,
		text,
		number,
		null,
		json
	};
	struct Piece {
		Token token;
		std::size_t size; // of its text
		std::int64_t number;
	};
	JsonBuilder &add(Token token, std::string_view text = {}, std::int64_t number = 0);

	// Put together at the end, at once: to enter PostgreSQL for each costs more than a piece does.
	std::vector<Piece> pieces_ = {};
	std::string texts_ = {};
};

} // namespace automation::pg
