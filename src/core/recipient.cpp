#include "core/recipient.hpp"

#include "core/ascii.hpp"
#include "core/domain.hpp"
#include "core/failure.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace automation::core {
namespace {

constexpr std::size_t max_address_size = 254;
constexpr std::size_t max_local_size = 64;

bool is_atom_character(char c)
{
	return is_alphanumeric(c) ||
		(c != '\0' && std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos);
}

bool is_atom(std::string_view text)
{
	return !text.empty() && std::ranges::all_of(text, is_atom_character);
}

bool is_email_address(std::string_view address)
{
	const std::size_t at = address.find('@'); // npos is longer than any local part
	return at <= max_local_size && address.size() <= max_address_size &&
		all_parts(address.substr(0, at), is_atom) && is_domain_name(address.substr(at + 1));
}

} // namespace

void check_email_address(std::string_view address)
{
	if (std::ranges::any_of(address, is_control))
		throw Failure("22023", "email address contains a control character");
	if (is_email_address(address))
		return;
	Advice advice;
	if (!std::ranges::all_of(address, is_ascii))
		advice.hint = "Write an international domain in its ASCII form (xn--).";
	throw Failure("22023", fmt::format("invalid email address \"{}\"", address), advice);
}

void check_phone_number(std::string_view number)
{
	const bool valid = number.size() >= 8 && number.size() <= 16 && number[0] == '+' &&
		number[1] != '0' && std::ranges::all_of(number.substr(1), is_digit);
	if (!valid)
		throw Failure("22023", fmt::format("invalid phone number \"{}\"", number),
			{.hint = "Use E.164 format, for example \"+491711234567\"."});
}

std::string normalize_phone_number(std::string_view number)
{
	std::string digits;
	for (std::size_t at = 0; at < number.size(); ++at) {
		if (number.substr(at).starts_with("(0)") && !digits.empty())
			at += 2; // the prefix for calls within the country
		else if (!is_space(number[at]) &&
			std::string_view("-./()").find(number[at]) == std::string_view::npos)
			digits += number[at];
	}
	return digits.starts_with("00") ? '+' + digits.substr(2) : digits;
}

} // namespace automation::core
