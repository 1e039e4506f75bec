#include "core/hash_lists.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

using automation::core::HashLists;

namespace {

std::vector<int> found(const HashLists &lists, std::int64_t hash)
{
	std::vector<int> numbers;
	lists.visit(hash, [&](int number) { numbers.push_back(number); });
	std::ranges::sort(numbers);
	return numbers;
}

} // namespace

TEST(HashLists, finds_nothing_in_nothing)
{
	EXPECT_TRUE(found({}, 0).empty());
}

TEST(HashLists, finds_all_numbers_of_a_hash_and_no_others)
{
	HashLists lists;
	std::map<std::int64_t, std::vector<int>> expected;
	for (int number = 0; number < 20'000; ++number) {
		const std::int64_t hash = number % 3'000 * 0x1'0000'0001 - 7;
		lists.add(hash, number);
		expected[hash].push_back(number);
	}
	for (const auto &[hash, numbers] : expected)
		EXPECT_EQ(found(lists, hash), numbers);
	EXPECT_TRUE(found(lists, 1).empty());
}

TEST(HashLists, keeps_hashes_apart_that_differ_in_one_bit)
{
	HashLists lists;
	for (int bit = 0; bit < 64; ++bit)
		lists.add(static_cast<std::int64_t>(std::uint64_t{1} << bit), bit);
	for (int bit = 0; bit < 64; ++bit)
		EXPECT_EQ(
			found(lists, static_cast<std::int64_t>(std::uint64_t{1} << bit)), std::vector{bit});
}
