// The scopes of the wall, around statements and errors of every kind.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace automation::wall {

// Runs it through SPI; the first column of its first row.
std::optional<std::string> execute(const std::string &command);

// "ok" or "SQLSTATE message" for each, run one after another in a subtransaction of its own.
std::vector<std::string> attempt(const std::vector<std::string> &commands);

// The same, each run in a subtransaction of the one before; answers come from the innermost out.
std::vector<std::string> attempt_nested(const std::vector<std::string> &commands);

// A subtransaction that runs a command and then raises; what came of it.
std::string attempt_raise(const std::string &command, std::string_view kind);

// Keeps the error of a command while many others come and go, then lets it go on.
void keep_and_throw(const std::string &command);

// Whether PostgreSQL's own state is as before, once a subtransaction has stopped an error.
bool restores_state(std::string_view kind);

// Raises while allocations go to contexts of ours.
void raise_in_memory(std::string_view kind);

// Statements kept for the backend.
std::int64_t divide(std::int64_t dividend, std::int64_t divisor);
void execute_broken_statement();

// Runs until interrupted, in a subtransaction if wanted.
[[noreturn]] void spin();
void spin_in_subtransaction();

} // namespace automation::wall
