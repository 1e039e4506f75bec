#include "pg/json_builder.hpp"

#include "pg/json_value.hpp"

namespace automation::pg {

namespace {

constexpr std::size_t usual_pieces = 24, usual_length = 256;

// Inside a guard, as all of these.
JsonbValue parsed(const char *characters, std::size_t size)
{
	const Datum text = CStringGetDatum(pnstrdup(characters, size));
	return json_value(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, text)));
}

void push(JsonbParseState *&state, JsonbValue value)
{
	pushJsonbValue(&state, state->contVal.type == jbvArray ? WJB_ELEM : WJB_VALUE, &value);
}

} // namespace

JsonBuilder &JsonBuilder::add(Token token, std::string_view text, std::int64_t number)
{
	if (pieces_.empty()) {
		pieces_.reserve(usual_pieces);
		texts_.reserve(usual_length);
	}
	pieces_.push_back({token, text.size(), number});
	texts_ += text;
	return *this;
}

Value JsonBuilder::finish() const
{
	const auto make = [&] {
		JsonbParseState *state = nullptr;
		JsonbValue *made = nullptr;
		JsonbValue name{};
		const char *text = texts_.data();
		for (const Piece &piece : pieces_) {
			const auto length = static_cast<int>(piece.size);
			switch (piece.token) {
			case Token::begin_object:
				pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
				break;
			case Token::end_object:
				made = pushJsonbValue(&state, WJB_END_OBJECT, nullptr);
				break;
			case Token::begin_array:
				pushJsonbValue(&state, WJB_BEGIN_ARRAY, nullptr);
				break;
			case Token::end_array:
				made = pushJsonbValue(&state, WJB_END_ARRAY, nullptr);
				break;
			case Token::key:
				name = text_value(text, length);
				pushJsonbValue(&state, WJB_KEY, &name);
				break;
			case Token::text:
				push(state, text_value(text, length));
				break;
			case Token::number:
				push(state, number_value(int64_to_numeric(piece.number)));
				break;
			case Token::null:
				push(state, null_value());
				break;
			case Token::json:
				push(state, parsed(text, piece.size));
				break;
			}
			text += piece.size;
		}
		return JsonbPGetDatum(JsonbValueToJsonb(made));
	};
	return Value::datum(guard(make), JSONBOID);
}

} // namespace automation::pg
