// Numbers and amounts of money as a reader expects them: 1,234.50.
#pragma once

#include <string>
#include <string_view>

namespace automation::core {

inline constexpr int max_decimals = 20;

// A SQL expression of type text for a numeric one: rounded, a comma between thousands.
std::string number_sql(std::string_view numeric, int decimals);

// A currency code follows the amount and decides its decimals ("1,234.50 EUR", "1,235 JPY");
// anything else, "$" say, stands before it ("-$1,234.50").  Empty: the bare amount.
std::string currency_sql(std::string_view numeric, std::string_view currency);

} // namespace automation::core
