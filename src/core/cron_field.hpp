// The five fields of a cron schedule as sets of numbers.
#pragma once

#include <array>
#include <bitset>
#include <string>
#include <string_view>

namespace automation::core {

struct CronField {
	std::bitset<60> numbers;
	bool is_open; // begins with *
};

// Minute, hour, day of month, month, day of week. Failure 22023 tells which of them is wrong.
std::array<CronField, 5> parse_cron(const std::string &schedule);

[[noreturn]] void fail_cron(const std::string &schedule, std::string detail, std::string hint = {});

} // namespace automation::core
