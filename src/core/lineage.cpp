#include "core/lineage.hpp"

#include <algorithm>
#include <charconv>

namespace automation::core {

namespace {

constexpr std::string_view end_of_wal = "no recovery target specified";

std::string_view take_until(std::string_view &text, char end)
{
	const std::size_t length = std::min(text.find(end), text.size());
	const std::string_view part = text.substr(0, length);
	text.remove_prefix(std::min(length + 1, text.size()));
	return part;
}

template <typename Number> std::optional<Number> number(std::string_view digits, int base)
{
	Number value = 0;
	const auto [end, error] =
		std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
	if (error != std::errc() || end != digits.data() + digits.size())
		return std::nullopt;
	return value;
}

// As in 16/B374D848.
std::optional<std::uint64_t> wal_position(std::string_view text)
{
	const auto high = number<std::uint32_t>(take_until(text, '/'), 16);
	const auto low = number<std::uint32_t>(text, 16);
	if (!high || !low)
		return std::nullopt;
	return std::uint64_t{*high} << 32 | *low;
}

// The rest of the line that begins so.
std::string_view line_of(std::string_view text, std::string_view beginning)
{
	while (!text.empty()) {
		std::string_view line = take_until(text, '\n');
		if (line.starts_with(beginning))
			return line.substr(beginning.size());
	}
	return {};
}

} // namespace

std::optional<std::string> chosen_end(std::string_view history, std::uint64_t since)
{
	std::optional<std::string> end;
	while (!history.empty()) {
		std::string_view line = take_until(history, '\n');
		take_until(line, '\t'); // the timeline that ended there
		const auto position = wal_position(take_until(line, '\t'));
		if (position && *position > since && line != end_of_wal)
			end = line;
	}
	return end;
}

std::optional<Backup> parse_backup_label(std::string_view label)
{
	std::string_view begin = line_of(label, "START WAL LOCATION: ");
	const auto position = wal_position(take_until(begin, ' '));
	const auto timeline = number<std::uint32_t>(line_of(label, "START TIMELINE: "), 10);
	if (!position || !timeline)
		return std::nullopt;
	return Backup{*position, *timeline, std::string(line_of(label, "START TIME: "))};
}

} // namespace automation::core
