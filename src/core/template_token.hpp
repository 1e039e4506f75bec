// The words inside one merge tag.
#pragma once

#include <string_view>

namespace automation::core {

struct Token {
	enum class Kind { name, string, number, symbol, end };

	Kind kind = Kind::end;
	std::string_view text = {}; // of a string: what stands between the quotes
};

// Reads a tag word by word; the text of a token points into the tag.
class TokenReader {
public:
	explicit TokenReader(std::string_view tag) : rest_(tag) { advance(); }

	const Token &peek() const { return token_; }
	bool at_symbol(std::string_view symbol) const
	{
		return token_.kind == Token::Kind::symbol && token_.text == symbol;
	}
	bool at_name(std::string_view name) const
	{
		return token_.kind == Token::Kind::name && token_.text == name;
	}

	// The present token; moves on to the next.
	Token take();

private:
	void advance();
	Token next(Token::Kind kind, std::size_t size);

	std::string_view rest_;
	Token token_;
};

} // namespace automation::core
