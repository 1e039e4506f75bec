#include "core/domain.hpp"

#include "core/ascii.hpp"

#include <algorithm>
#include <string>

namespace automation::core {
namespace {

constexpr std::size_t max_name_size = 253;
constexpr std::size_t max_label_size = 63;

bool is_label(std::string_view text)
{
	return !text.empty() && text.size() <= max_label_size && !text.starts_with('-') &&
		!text.ends_with('-') &&
		std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

bool is_host_label(std::string_view text)
{
	std::string without_underscores(text);
	std::ranges::replace(without_underscores, '_', 'x');
	return is_label(without_underscores);
}

} // namespace

bool is_domain_name(std::string_view name)
{
	return name.size() <= max_name_size && all_parts(name, is_label);
}

bool is_host_name(std::string_view name)
{
	return name.size() <= max_name_size && all_parts(name, is_host_label);
}

bool all_parts(std::string_view dotted, bool (*accepts)(std::string_view))
{
	for (;;) {
		const std::size_t dot = dotted.find('.');
		if (!accepts(dotted.substr(0, dot)))
			return false;
		if (dot == dotted.npos)
			return true;
		dotted.remove_prefix(dot + 1);
	}
}

} // namespace automation::core
