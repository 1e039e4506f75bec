// Checks of the addresses that messages go to.
#pragma once

#include <string>
#include <string_view>

namespace automation::core {

// An addr-spec in ASCII without quotes or comments: "ada@example.com".  Throws Failure 22023.
void check_email_address(std::string_view address);

// E.164: "+" and 7 to 15 digits, the first not 0.  Throws Failure 22023.
void check_phone_number(std::string_view number);

// Towards E.164: without spaces, dashes, dots, slashes, parentheses and a "(0)", "00" in front as
// "+". Whether the result is a number is for check_phone_number().
std::string normalize_phone_number(std::string_view number);

} // namespace automation::core
