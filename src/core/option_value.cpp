#include "core/option_value.hpp"

#include "core/ascii.hpp"
#include "core/failure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace automation::core {

namespace {

constexpr std::chrono::hours day{24};
constexpr std::string_view yes[] = {"true", "on", "yes", "1"};
constexpr std::string_view no[] = {"false", "off", "no", "0"};

std::optional<int> integer(std::string_view digits)
{
	int number = 0;
	const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
	if (error != std::errc() || end != digits.data() + digits.size())
		return std::nullopt;
	return number;
}

std::optional<std::chrono::milliseconds> unit(std::string_view name)
{
	if (name == "ms")
		return std::chrono::milliseconds(1);
	if (name == "s" || name.empty())
		return std::chrono::seconds(1);
	if (name == "min")
		return std::chrono::minutes(1);
	if (name == "h")
		return std::chrono::hours(1);
	if (name == "d")
		return day;
	return std::nullopt;
}

[[noreturn]] void fail(std::string_view name, std::string_view value, std::string hint)
{
	throw Failure("22023", fmt::format("invalid value for option \"{}\": \"{}\"", name, value),
		{.hint = std::move(hint)});
}

} // namespace

bool parse_boolean(std::string_view name, std::string_view value)
{
	const std::string word = lower(value);
	if (std::ranges::find(yes, word) != std::end(yes))
		return true;
	if (std::ranges::find(no, word) == std::end(no))
		fail(name, value, "Use \"true\" or \"false\".");
	return false;
}

int parse_integer(std::string_view name, std::string_view value, int least, int most)
{
	const std::optional<int> number = integer(value);
	if (!number || *number < least || *number > most)
		throw Failure("22023", fmt::format("{} must be between {} and {}", name, least, most));
	return *number;
}

std::vector<int> parse_integers(std::string_view name, std::string_view list, int least, int most)
{
	std::vector<int> numbers;
	while (!list.empty()) {
		const std::size_t end = std::min(list.find_first_of(", "), list.size());
		if (end > 0)
			numbers.push_back(parse_integer(name, list.substr(0, end), least, most));
		list.remove_prefix(std::min(end + 1, list.size()));
	}
	return numbers;
}

std::chrono::milliseconds parse_duration(
	std::string_view name, std::string_view value, std::chrono::hours longest)
{
	const std::size_t digits = std::min(value.find_first_not_of("0123456789"), value.size());
	const std::optional<int> number = integer(value.substr(0, digits));
	const auto one = unit(value.substr(digits));
	if (!number || !one || *number > std::chrono::milliseconds(longest) / *one)
		fail(name, value,
			fmt::format("Write it as \"500ms\", \"5s\", \"10min\", \"2h\" or \"3d\", at most {}.",
				longest > day ? fmt::format("{} days", longest / day) : "a day"));
	return *number * *one;
}

} // namespace automation::core
