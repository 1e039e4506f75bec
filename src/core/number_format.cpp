#include "core/number_format.hpp"

#include "core/sql_literal.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace automation::core {
namespace {

// For to_char(): 36 digits before the point, commas and point whatever lc_numeric is.
std::string pattern(int decimals)
{
	std::string result;
	for (int group = 0; group < 11; ++group)
		result += "999,";
	result += "990";
	if (decimals > 0)
		result += '.' + std::string(static_cast<std::size_t>(decimals), '0');
	return result;
}

// MI puts the sign before everything else; rounding first leaves no "-0.00".
std::string to_char_sql(std::string_view numeric, int decimals, const std::string &format)
{
	return fmt::format("pg_catalog.to_char(pg_catalog.round({}, {}), {})", numeric, decimals,
		quote_literal("FMMI" + format));
}

bool is_currency_code(std::string_view text)
{
	return text.size() == 3 &&
		std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

// The minor units of ISO 4217, where they are not 2.
int decimals_of(std::string_view code)
{
	constexpr std::string_view none =
		"BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
	constexpr std::string_view three = "BHD IQD JOD KWD LYD OMR TND";
	if (none.find(code) != none.npos)
		return 0;
	return three.find(code) != three.npos ? 3 : 2;
}

} // namespace

std::string number_sql(std::string_view numeric, int decimals)
{
	return to_char_sql(numeric, decimals, pattern(decimals));
}

std::string currency_sql(std::string_view numeric, std::string_view currency)
{
	if (!is_currency_code(currency))
		return to_char_sql(numeric, 2, quote_pattern(currency) + pattern(2));
	const int decimals = decimals_of(currency);
	return to_char_sql(
		numeric, decimals, pattern(decimals) + quote_pattern(fmt::format(" {}", currency)));
}

} // namespace automation::core
