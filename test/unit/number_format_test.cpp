#include "core/number_format.hpp"

#include <gtest/gtest.h>

using namespace automation::core;

namespace {

// The pattern without its many nines.
std::string tail(const std::string &sql)
{
	const std::size_t first = sql.find("999,");
	return sql.substr(0, first) + "~" + sql.substr(sql.rfind("999,") + 4);
}

} // namespace

TEST(NumberFormat, RoundsAndGroups)
{
	EXPECT_EQ(
		tail(number_sql("x", 2)), "pg_catalog.to_char(pg_catalog.round(x, 2), 'FMMI~990.00')");
	EXPECT_EQ(tail(number_sql("x", 0)), "pg_catalog.to_char(pg_catalog.round(x, 0), 'FMMI~990')");
}

TEST(NumberFormat, PutsCodesBehindAndSymbolsInFront)
{
	EXPECT_EQ(tail(currency_sql("x", "EUR")),
		"pg_catalog.to_char(pg_catalog.round(x, 2), 'FMMI~990.00\" EUR\"')");
	EXPECT_EQ(tail(currency_sql("x", "$")),
		"pg_catalog.to_char(pg_catalog.round(x, 2), 'FMMI\"$\"~990.00')");
	EXPECT_EQ(tail(currency_sql("x", "")),
		"pg_catalog.to_char(pg_catalog.round(x, 2), 'FMMI\"\"~990.00')");
	EXPECT_EQ(tail(currency_sql("x", "\"'\\")),
		"pg_catalog.to_char(pg_catalog.round(x, 2), E'FMMI\"\\\\\"''\\\\\\\\\"~990.00')");
}

TEST(NumberFormat, KnowsMinorUnits)
{
	EXPECT_EQ(tail(currency_sql("x", "JPY")),
		"pg_catalog.to_char(pg_catalog.round(x, 0), 'FMMI~990\" JPY\"')");
	EXPECT_EQ(tail(currency_sql("x", "KWD")),
		"pg_catalog.to_char(pg_catalog.round(x, 3), 'FMMI~990.000\" KWD\"')");
}
