#include "core/template_scan.hpp"

#include "core/ascii.hpp"
#include "core/failure.hpp"
#include "core/template.hpp"

#include <algorithm>

namespace automation::core {
namespace {

// The next "{{" or "{%" at or after `from`; npos when there is none.
std::size_t find_tag(std::string_view text, std::size_t from)
{
	for (std::size_t at = text.find('{', from); at != text.npos; at = text.find('{', at + 1)) {
		if (at + 1 < text.size() && (text[at + 1] == '{' || text[at + 1] == '%'))
			return at;
	}
	return text.npos;
}

Segment::Kind kind_of(std::string_view text, std::size_t open)
{
	return text[open + 1] == '{' ? Segment::Kind::output : Segment::Kind::block;
}

[[noreturn]] void fail_unterminated(std::string_view text, std::size_t open)
{
	const bool output = kind_of(text, open) == Segment::Kind::output;
	throw Failure("42601", "unterminated merge tag",
		{.hint = output ? "Close the tag with \"}}\"." : "Close the tag with \"%}\".",
			.position = Positions(text).at(text.data() + open)});
}

// Where the tag that opens at `open` closes.  Quoted strings may hold anything; another opening
// outside of them shows that this tag was forgotten.
std::size_t find_close(std::string_view text, std::size_t open)
{
	const char closing = kind_of(text, open) == Segment::Kind::output ? '}' : '%';
	for (std::size_t at = open + 2; at + 1 < text.size(); ++at) {
		const char c = text[at];
		const char next = text[at + 1];
		if (c == closing && next == '}')
			return at;
		if (c == '{' && (next == '{' || next == '%'))
			fail_unterminated(text, open);
		if (c != '"' && c != '\'')
			continue;
		const std::size_t quote = text.find(c, at + 1);
		if (quote == text.npos)
			throw Failure("42601", "unterminated quoted string in merge tag",
				{.hint = "Close the string with the quote it begins with.",
					.position = Positions(text).at(text.data() + at)});
		at = quote;
	}
	fail_unterminated(text, open);
}

std::string_view trim_left(std::string_view text)
{
	const auto first = std::ranges::find_if_not(text, is_space);
	return text.substr(static_cast<std::size_t>(first - text.begin()));
}

std::string_view trim_right(std::string_view text)
{
	while (!text.empty() && is_space(text.back()))
		text.remove_suffix(1);
	return text;
}

} // namespace

int Positions::at(const char *where)
{
	if (where < last_)
		*this = Positions(text_);
	const auto starts_character = [](char c) { return (c & 0xc0) != 0x80; };
	number_ += static_cast<int>(std::count_if(last_, where, starts_character));
	last_ = where;
	return number_;
}

std::vector<Segment> scan(std::string_view text)
{
	std::vector<Segment> segments;
	bool trim_next = false;
	for (std::size_t at = 0; at < text.size();) {
		const std::size_t open = std::min(find_tag(text, at), text.size());
		std::string_view own = text.substr(at, open - at);
		if (trim_next)
			own = trim_left(own);
		const bool trim_this = text.substr(open).size() > 2 && text[open + 2] == '-';
		if (trim_this)
			own = trim_right(own);
		if (!own.empty())
			segments.push_back({Segment::Kind::text, own});
		if (open == text.size())
			break;

		const std::size_t close = find_close(text, open);
		std::string_view tag = text.substr(open + 2, close - open - 2);
		trim_next = tag.ends_with('-');
		tag.remove_prefix(trim_this ? 1 : 0);
		if (tag.ends_with('-'))
			tag.remove_suffix(1);
		segments.push_back({kind_of(text, open), tag});
		at = close + 2;
	}
	return segments;
}

bool has_tags(std::string_view text)
{
	return find_tag(text, 0) != text.npos;
}

} // namespace automation::core
