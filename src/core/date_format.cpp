#include "core/date_format.hpp"

#include "core/failure.hpp"
#include "core/sql_literal.hpp"

#include <fmt/format.h>

namespace automation::core {
namespace {

struct Directive {
	std::string_view name;
	std::string_view pattern;
};

constexpr Directive directives[] = {
	{"a", "Dy"}, {"A", "FMDay"}, {"b", "Mon"}, {"B", "FMMonth"}, {"h", "Mon"}, // names
	{"Y", "YYYY"}, {"y", "YY"}, {"C", "CC"}, {"G", "IYYY"},					   // years
	{"m", "MM"}, {"-m", "FMMM"}, {"V", "IW"},								   // months, weeks
	{"d", "DD"}, {"-d", "FMDD"}, {"e", "FMDD"}, {"j", "DDD"}, {"-j", "FMDDD"}, // days
	{"u", "ID"},															   // Monday is 1
	{"H", "HH24"}, {"-H", "FMHH24"}, {"k", "FMHH24"},						   // hours
	{"I", "HH12"}, {"-I", "FMHH12"}, {"l", "FMHH12"},						   // of twelve
	{"p", "AM"}, {"P", "am"},												   // halves of the day
	{"M", "MI"}, {"-M", "FMMI"}, {"S", "SS"}, {"-S", "FMSS"}, {"L", "MS"},	   // down to the ms
	{"F", "YYYY-MM-DD"}, {"D", "MM/DD/YY"}, {"T", "HH24:MI:SS"}, {"R", "HH24:MI"}, {"%", "\"%\""},
	{"n", "\"\n\""}, {"t", "\"\t\""}, // not of the date
};

// The directive at the start of what follows a percent sign.
const Directive *find_directive(std::string_view text)
{
	for (const Directive &directive : directives) {
		if (text.starts_with(directive.name))
			return &directive;
	}
	return nullptr;
}

[[noreturn]] void fail_unknown(std::string_view text, int position)
{
	std::size_t size = text.starts_with('-') ? 2 : 1;
	while (size < text.size() && (text[size] & 0xc0) == 0x80)
		++size; // the rest of a character
	const std::string_view name = text.substr(0, size);
	throw Failure("22023", fmt::format("unrecognized date directive \"%{}\"", name),
		{.hint = "Write for example \"%d.%m.%Y %H:%M\", and a percent sign as \"%%\".",
			.position = position});
}

} // namespace

std::string to_char_format(std::string_view strftime_format, int position)
{
	if (strftime_format.empty())
		throw Failure("22023", "date format is empty", {.position = position});

	std::string result;
	while (!strftime_format.empty()) {
		const std::size_t percent = strftime_format.find('%');
		// Even when empty: it keeps DD and D from being DDD.
		result += quote_pattern(strftime_format.substr(0, percent));
		if (percent == strftime_format.npos)
			break;
		strftime_format.remove_prefix(percent + 1);
		const Directive *directive = find_directive(strftime_format);
		if (!directive)
			fail_unknown(strftime_format, position);
		result += directive->pattern;
		strftime_format.remove_prefix(directive->name.size());
	}
	return result;
}

} // namespace automation::core
