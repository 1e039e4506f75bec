// Who runs: the launcher and one worker per database, in a small table in shared memory.
#pragma once

#include "pg/spi.hpp"

#include <vector>

namespace automation::pg {

// Memory, launcher and commit callback; from _PG_init. Does nothing when the library was loaded too
// late for it, or for pg_upgrade.
void share_workers();

// Throws Failure 55000 when there can be no worker.
void require_preload();

// After CREATE EXTENSION: every database is asked again.
void wake_launcher_at_commit();

// The launcher's side.

enum class Start { done, already, no_slot };

struct Departure {
	Oid database;
	bool extension_missing; // the worker found nothing to work for
};

void become_launcher();
bool launcher_called(); // since the last time
Start start_worker(Oid database);
void send_worker_away(Oid database);
std::vector<Departure> departed_workers(); // each is told once; its place is free again

// The worker's side.

// The database the launcher meant; 0 when it has changed its mind.
Oid become_worker(Datum argument);
// False while another process still works for the database. The lock that tells it lasts as long as
// this process; no SQL can take it.
bool claim_database();
// For this transaction; false: somebody else's has announced that it locks messages, and calls them
// back perhaps: automation._mind_locks().
bool claims_undisturbed();
struct Called {
	bool at_all;
	bool for_steps;
};
Called worker_called(); // since the last time
bool told_to_leave(); // somebody needs the database without us, or the settings do not want us here
void leave_for_lack_of_extension();

// The other side of DDL: the worker of the database, if any, leaves and stays away for the while.
void make_worker_leave(Oid database);
void let_worker_return(Oid database);

} // namespace automation::pg
