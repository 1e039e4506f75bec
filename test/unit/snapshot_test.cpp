#include "core/snapshot.hpp"

#include <gtest/gtest.h>

namespace automation::core {
namespace {

TEST(Snapshot, ShowsWhatWasOver)
{
	const Snapshot snapshot("10:20:12,15");
	EXPECT_EQ(snapshot.end(), 20U);
	EXPECT_EQ(snapshot.running(), (std::vector<Snapshot::Transaction>{12, 15}));
	for (const Snapshot::Transaction over : {1, 11, 13, 19})
		EXPECT_TRUE(snapshot.shows(over)) << over;
	for (const Snapshot::Transaction other : {12, 15, 20, 21})
		EXPECT_FALSE(snapshot.shows(other)) << other;
}

TEST(Snapshot, MayHaveNothingRunning)
{
	const Snapshot snapshot("1:1:");
	EXPECT_EQ(snapshot.end(), 1U);
	EXPECT_TRUE(snapshot.running().empty());
	EXPECT_FALSE(snapshot.shows(1));
}

TEST(Snapshot, KnowsTransactionsOfManyWraparounds)
{
	const Snapshot snapshot("18446744073709551000:18446744073709551610:18446744073709551600");
	EXPECT_EQ(snapshot.end(), 18446744073709551610U);
	EXPECT_FALSE(snapshot.shows(18446744073709551600U));
}

} // namespace
} // namespace automation::core
