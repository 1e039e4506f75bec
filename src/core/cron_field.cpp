#include "core/cron_field.hpp"

#include "core/ascii.hpp"
#include "core/failure.hpp"

#include <fmt/format.h>

#include <charconv>
#include <span>
#include <utility>
#include <vector>

namespace automation::core {

namespace {

constexpr std::string_view month_names[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Kind {
	std::string_view name;
	int least;
	int most;
	std::span<const std::string_view> names = {}; // of least and what follows it
};
constexpr Kind kinds[] = {{"Minute", 0, 59}, {"Hour", 0, 23}, {"Day of month", 1, 31},
	{"Month", 1, 12, month_names}, {"Day of week", 0, 7, weekday_names}};

constexpr std::pair<std::string_view, std::string_view> shorthands[] = {{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
	{"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"}};

std::vector<std::string_view> split(std::string_view text, bool (*separates)(char))
{
	std::vector<std::string_view> parts(1);
	for (std::size_t from = 0, i = 0; i <= text.size(); ++i)
		if (i == text.size() || separates(text[i])) {
			parts.back() = text.substr(from, i - from);
			from = i + 1;
			parts.emplace_back();
		}
	parts.pop_back();
	return parts;
}

// "a-b" -> a, b; without the separator the second is empty, and has no data.
std::pair<std::string_view, std::string_view> cut(std::string_view text, char separator)
{
	const std::size_t place = text.find(separator);
	if (place == std::string_view::npos)
		return {text, {}};
	return {text.substr(0, place), text.substr(place + 1)};
}

class FieldParser {
public:
	FieldParser(const std::string &schedule, const Kind &kind) : schedule_(schedule), kind_(kind) {}

	CronField parse(std::string_view text) const
	{
		CronField field{.numbers = {}, .is_open = text.starts_with('*')};
		for (const std::string_view item : split(text, [](char c) { return c == ','; }))
			add(field, item);
		return field;
	}

private:
	void add(CronField &field, std::string_view item) const
	{
		const auto [range, step_text] = cut(item, '/');
		const int step = step_text.data() ? number(step_text) : 1;
		if (step < 1)
			fail(fmt::format("Step of {} must be at least 1.", lower(kind_.name)));
		auto [first, last] = bounds(range);
		if (step_text.data() && first == last)
			last = kind_.most; // 5/15 is 5-59/15
		for (int i = first; i <= last; i += step)
			field.numbers.set(static_cast<std::size_t>(i));
	}

	std::pair<int, int> bounds(std::string_view range) const
	{
		if (range == "*")
			return {kind_.least, kind_.most};
		const auto [first_text, last_text] = cut(range, '-');
		const int first = value(first_text);
		int last = last_text.data() ? value(last_text) : first;
		if (last == 0 && first > 0 && kind_.most == 7)
			last = 7; // fri-sun
		if (first > last)
			fail(fmt::format("{} range \"{}\" goes backwards.", kind_.name, range));
		return {first, last};
	}

	int value(std::string_view text) const
	{
		const auto name = std::ranges::find(kind_.names, lower(text));
		const int found = name != kind_.names.end()
			? kind_.least + static_cast<int>(name - kind_.names.begin())
			: number(text);
		if (found < kind_.least || found > kind_.most)
			fail(fmt::format("{} must be between {} and {}.", kind_.name, kind_.least, kind_.most));
		return found;
	}

	// More digits than any number here has make one that is out of range.
	int number(std::string_view text) const
	{
		int number = 0;
		const char *end = text.data() + text.size();
		if (text.empty() || !std::ranges::all_of(text, is_digit))
			fail(fmt::format("{} is no number: \"{}\".", kind_.name, text));
		const auto parsed = std::from_chars(text.data(), end, number);
		return parsed.ec == std::errc() ? number : 1000;
	}

	[[noreturn]] void fail(std::string detail) const { fail_cron(schedule_, std::move(detail)); }

	const std::string &schedule_;
	const Kind &kind_;
};

std::string_view written_out(const std::string &schedule, std::string_view text)
{
	if (!text.starts_with('@'))
		return text;
	for (const auto &[shorthand, fields] : shorthands)
		if (lower(text) == shorthand)
			return fields;
	fail_cron(schedule, "There is no such shorthand.",
		"Valid ones are: @hourly, @daily, @weekly, @monthly, @yearly.");
}

} // namespace

std::array<CronField, 5> parse_cron(const std::string &schedule)
{
	std::vector<std::string_view> words = split(schedule, is_space);
	std::erase(words, "");
	if (words.size() == 1)
		words = split(written_out(schedule, words.front()), is_space);
	if (words.size() != std::size(kinds))
		fail_cron(schedule,
			"A schedule has five fields: minute, hour, day of month, month, day of week.");
	std::array<CronField, 5> fields;
	for (std::size_t i = 0; i < fields.size(); ++i)
		fields.at(i) = FieldParser(schedule, kinds[i]).parse(words[i]);
	return fields;
}

void fail_cron(const std::string &schedule, std::string detail, std::string hint)
{
	throw Failure("22023", fmt::format("invalid cron schedule: \"{}\"", schedule),
		{.detail = std::move(detail), .hint = std::move(hint)});
}

} // namespace automation::core
