// Inside the wall: the table in shared memory that launcher, workers and writers meet in.
#pragma once

#include "pg/postgres.hpp"

#include "pg/figures.hpp"

namespace automation::pg {

// place_free -> starting (launcher) -> running (worker) -> ended or absent (worker's exit) ->
// place_free (launcher)
enum State : uint32 { place_free, starting, running, ended, absent };

enum Call : uint32 { messages_written = 1, steps_planned = 2 };

struct ChannelFigures {
	pg_atomic_uint32 server; // 0: not taken yet
	pg_atomic_uint64 figure[channel_figures];
};
inline constexpr int most_channels = 64; // that are counted apart

// Nobody needs two of the fields to agree, so there is no lock; and no pointer, which would mean
// something in one process only.
struct Place {
	pg_atomic_uint32 state;
	pg_atomic_uint32 database;
	pg_atomic_uint32 process; // number of the worker's PGPROC
	pg_atomic_uint32 called;  // of Call: what was committed since the worker looked
	pg_atomic_uint32 told_to_leave;
	pg_atomic_uint32 calls;		 // to the launcher, before the worker looked for the extension
	pg_atomic_uint64 since;		 // when it got this state
	pg_atomic_uint64 away_until; // not to be given away before

	// What the worker counts; see pg/figures.
	pg_atomic_uint64 begun;
	pg_atomic_uint64 seen;
	pg_atomic_uint64 in_flight;
	pg_atomic_uint64 figure[worker_figures];
	ChannelFigures channel[most_channels];
};

struct Places {
	pg_atomic_uint32 launcher; // number of its PGPROC, plus 1
	pg_atomic_uint32 calls;	   // for the launcher to ask every database again
	int size;
	Place place[FLEXIBLE_ARRAY_MEMBER];
};

extern Places *shared; // null when the library was not preloaded
extern Place *mine;	   // in a worker

void request_places();		   // from _PG_init
Place *place_of(Oid database); // null when it has none
void set_state(Place &place, State state);
void call_worker(Place &place, uint32 why); // to look for what was committed
void wake(Place &place);
void call_launcher();

} // namespace automation::pg
