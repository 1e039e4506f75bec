// Where the tags of a template begin and end.
#pragma once

#include <string_view>
#include <vector>

namespace automation::core {

struct Segment {
	enum class Kind { text, output, block }; // own text, {{ ... }}, {% ... %}

	Kind kind;
	std::string_view content; // without braces and dashes; text is trimmed as its neighbours ask
};

// Throws Failure 42601 when a tag is not closed.  The segments point into the text.
std::vector<Segment> scan(std::string_view text);

// Numbers the characters of a text (UTF-8) from 1; asked in ascending order it reads the text once.
class Positions {
public:
	explicit Positions(std::string_view text) : text_(text), last_(text.data()) {}

	// where points into the text.
	int at(const char *where);

private:
	std::string_view text_;
	const char *last_;
	int number_ = 1; // of the character at last_
};

} // namespace automation::core
