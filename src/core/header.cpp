#include "core/header.hpp"

#include "core/ascii.hpp"
#include "core/failure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace automation::core {
namespace {

constexpr std::size_t max_name_size = 64;

constexpr std::string_view reserved_names[] = {"host", "content-length", "transfer-encoding",
	"connection", "te", "trailer", "upgrade", "expect"};

constexpr std::string_view reserved_prefixes[] = {"proxy-", "webhook-"};

bool is_token_character(char c)
{
	return is_alphanumeric(c) ||
		(c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

bool is_token(std::string_view text)
{
	return !text.empty() && text.size() <= max_name_size &&
		std::ranges::all_of(text, is_token_character);
}

bool is_reserved(const std::string &name)
{
	return std::ranges::find(reserved_names, name) != std::end(reserved_names) ||
		std::ranges::any_of(
			reserved_prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

} // namespace

void check_header_name(std::string_view name)
{
	if (!is_token(name))
		throw Failure("22023", fmt::format("invalid HTTP header name \"{}\"", name),
			{.detail = "A name has 1 to 64 letters, digits or any of !#$%&'*+-.^_`|~."});
	if (is_reserved(lower(name)))
		throw Failure("22023", fmt::format("HTTP header \"{}\" cannot be set", name));
}

void check_header_value(std::string_view name, std::string_view value)
{
	if (std::ranges::any_of(value, is_control))
		throw Failure(
			"22023", fmt::format("HTTP header \"{}\" contains a control character", name));
}

} // namespace automation::core
