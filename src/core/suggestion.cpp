#include "core/suggestion.hpp"

#include "core/ascii.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace automation::core {
namespace {

constexpr std::size_t max_distance = 3;

// Levenshtein, with one row of the table in memory.
std::size_t distance(std::string_view a, std::string_view b)
{
	std::vector<std::size_t> row(b.size() + 1);
	std::iota(row.begin(), row.end(), std::size_t{0});
	for (std::size_t i = 0; i < a.size(); ++i) {
		std::size_t diagonal = row[0];
		row[0] = i + 1;
		for (std::size_t j = 0; j < b.size(); ++j) {
			const std::size_t changed = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
			diagonal = row[j + 1];
			row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
		}
	}
	return row.back();
}

bool can_be_close(std::string_view a, std::string_view b)
{
	constexpr std::size_t longest_name = 255; // keeps the table small whatever the input
	const std::size_t difference = a.size() < b.size() ? b.size() - a.size() : a.size() - b.size();
	return difference <= max_distance && a.size() <= longest_name;
}

} // namespace

std::optional<std::string> closest(
	std::string_view misspelt, std::span<const std::string_view> candidates)
{
	std::optional<std::string> best;
	std::size_t limit = std::min(max_distance, misspelt.size() / 2);
	for (const std::string_view candidate : candidates) {
		if (!can_be_close(misspelt, candidate))
			continue;
		const std::size_t found = distance(misspelt, candidate);
		if (found > limit || (best && found == limit))
			continue;
		best = candidate;
		limit = found;
	}
	return best;
}

} // namespace automation::core
