// What PostgreSQL's files tell of where a server's data come from.
#include "core/lineage.hpp"

#include <gtest/gtest.h>

namespace automation::core {
namespace {

TEST(Lineage, a_promotion_has_no_chosen_end)
{
	EXPECT_EQ(chosen_end("1\t0/3000148\tno recovery target specified\n", 0), std::nullopt);
	EXPECT_EQ(chosen_end("", 0), std::nullopt);
}

TEST(Lineage, a_recovery_to_a_target_has)
{
	EXPECT_EQ(chosen_end("1\t0/3000148\tbefore 2026-11-28 17:00:00+00\n", 0x3000147),
		"before 2026-11-28 17:00:00+00");
	EXPECT_EQ(chosen_end("1\t0/3000148\tat restore point \"monday\"\n", 0),
		"at restore point \"monday\"");
	EXPECT_EQ(chosen_end("1\t2/A0\treached consistency\n", 0x1'ffff'ffff), "reached consistency");
}

TEST(Lineage, what_came_before_does_not_count)
{
	EXPECT_EQ(chosen_end("1\t0/3000148\treached consistency\n", 0x3000148), std::nullopt);
	EXPECT_EQ(chosen_end("1\t1/A0\treached consistency\n", 0x1'0000'00a0), std::nullopt);
}

TEST(Lineage, the_last_of_several_counts)
{
	constexpr auto history = "1\t0/3000148\tbefore transaction 745\n\n"
							 "2\t0/4000000\tafter LSN 0/4000000\n\n"
							 "3\t0/5000000\tno recovery target specified\n";
	EXPECT_EQ(chosen_end(history, 0), "after LSN 0/4000000");
	EXPECT_EQ(chosen_end(history, 0x4000000), std::nullopt);
}

TEST(Lineage, what_is_no_history_says_nothing)
{
	for (const char *text : {"# a comment\n", "\n\n\n", "1\t0/zz\tx\n", "1\t/\tx\n", "1\t12\tx\n",
			 "1", "1\t", "1\t0/3000148"})
		EXPECT_EQ(chosen_end(text, 0x3000148), std::nullopt) << text;
}

TEST(Lineage, a_label_tells_of_its_backup)
{
	const auto backup = parse_backup_label("START WAL LOCATION: 16/B374D848 (file 000000010000)\n"
										   "CHECKPOINT LOCATION: 16/B374D880\n"
										   "BACKUP METHOD: streamed\n"
										   "BACKUP FROM: primary\n"
										   "START TIME: 2026-11-28 17:30:00 UTC\n"
										   "LABEL: pg_basebackup base backup\n"
										   "START TIMELINE: 3\n");
	ASSERT_TRUE(backup);
	EXPECT_EQ(backup->begun_at, 0x16'b374'd848);
	EXPECT_EQ(backup->timeline, 3U);
	EXPECT_EQ(backup->time, "2026-11-28 17:30:00 UTC");
}

TEST(Lineage, what_is_no_label_tells_nothing)
{
	for (const char *text : {"", "START WAL LOCATION: 0/2000028 (file x)\n", "START TIMELINE: 1\n",
			 "START WAL LOCATION: nowhere\nSTART TIMELINE: 1\n",
			 "START WAL LOCATION: 0/1 (file x)\nSTART TIMELINE: first\n"})
		EXPECT_FALSE(parse_backup_label(text)) << text;
}

} // namespace
} // namespace automation::core
