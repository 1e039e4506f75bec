// A background process of ours: its signals, its settings, what it waits for, what it reports.
#pragma once

#include "pg/spi.hpp"

#include <chrono>

namespace automation::pg {

// Signals as we want them, then the connection. Database 0 means the shared catalogs only.
void begin_process(Oid database);

// The process keeps its own values whatever ALTER ROLE or ALTER DATABASE set.
void use_own_settings();

// SIGTERM came. A second one ends the process at its next interrupt check.
bool stop_requested();

// Serves what others asked of this process: barriers, invalidations, a new configuration.
void serve_requests();

// Waits for the latch and, optionally, a descriptor.
class Waiting {
public:
	static constexpr int no_descriptor = -1;

	explicit Waiting(int descriptor);
	void wait(std::chrono::milliseconds at_most);

private:
	void *set_; // a WaitEventSet; lives as long as the process
};

// The worker of this database looks for deliveries and steps as soon as this transaction commits.
// Only remembers it: costs a writer nothing, fails never.
void wake_worker_at_commit();
void wake_worker_to_send_at_commit(); // for deliveries alone

void report_running(const char *what); // in pg_stat_activity; a literal
void report_idle();
void report_statistics(); // or autovacuum never hears of what we wrote

// Called when the process ends, however it does, but for a crash. The action throws nothing.
void before_exit(void (*action)());

// Ends the process such that the postmaster starts it again.
[[noreturn]] void exit_for_restart();

std::uint64_t random_number();
std::int64_t system_identifier(); // of the cluster, as pg_control_system() shows it

Oid this_database();
Oid extension_oid(); // 0 when it is not installed; needs a transaction
void warn(const std::string &message, const std::string &hint); // to the server's log
inline constexpr const char *lock_not_available = "55P03";
inline constexpr const char *deadlock_detected = "40P01";
inline constexpr const char *serialization_failure = "40001";

} // namespace automation::pg
