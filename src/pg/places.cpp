#include "pg/places.hpp"
#include "pg/fault.hpp"

#include "pg/process.hpp"
#include "pg/workers.hpp"

#include <initializer_list>

namespace automation::pg {

Places *shared = nullptr;
Place *mine = nullptr;

namespace {

shmem_request_hook_type earlier_request = nullptr;
shmem_startup_hook_type earlier_startup = nullptr;
uint32 reasons = 0; // to call the worker
bool wake_launcher = false;
bool is_committed = false; // the transaction that asked for it

Size places_size()
{
	return offsetof(Places, place) + max_worker_processes * sizeof(Place);
}

void initialize_figures(Place &place)
{
	for (pg_atomic_uint64 &figure : place.figure)
		pg_atomic_init_u64(&figure, 0);
	for (ChannelFigures &channel : place.channel) {
		pg_atomic_init_u32(&channel.server, InvalidOid);
		for (pg_atomic_uint64 &figure : channel.figure)
			pg_atomic_init_u64(&figure, 0);
	}
}

void initialize(Places &fresh)
{
	pg_atomic_init_u32(&fresh.launcher, 0);
	pg_atomic_init_u32(&fresh.calls, 0);
	fresh.size = max_worker_processes;
	for (int i = 0; i < fresh.size; ++i) {
		Place &place = fresh.place[i];
		for (pg_atomic_uint32 *field : {&place.state, &place.database, &place.process,
				 &place.called, &place.told_to_leave, &place.calls})
			pg_atomic_init_u32(field, 0);
		for (pg_atomic_uint64 *field :
			{&place.since, &place.away_until, &place.begun, &place.seen, &place.in_flight})
			pg_atomic_init_u64(field, 0);
		initialize_figures(place);
	}
}

void request_memory()
{
	if (earlier_request)
		earlier_request();
	RequestAddinShmemSpace(places_size());
}

void start_up_memory()
{
	if (earlier_startup)
		earlier_startup();
	bool found = false;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = static_cast<Places *>(ShmemInitStruct("pg_automation workers", places_size(), &found));
	if (!found) {
		initialize(*shared);
	}
	LWLockRelease(AddinShmemInitLock);
}

void set_latch_of(uint32 process)
{
	SetLatch(&ProcGlobal->allProcs[process].procLatch);
}

void forget_calls()
{
	reasons = 0;
	wake_launcher = false;
}

// Past the commit, as what follows: may neither fail nor allocate.
void on_transaction_end(XactEvent event, void *)
{
	if (event == XACT_EVENT_PRE_COMMIT && reasons)
		quiet_fault_point("a transaction is about to commit");
	if (event == XACT_EVENT_PRE_PREPARE && reasons)
		quiet_fault_point("a transaction is about to be prepared");
	if (event == XACT_EVENT_COMMIT && reasons)
		quiet_fault_point("a transaction is committed");
	if (event == XACT_EVENT_PREPARE && reasons)
		quiet_fault_point("a transaction is prepared");
	is_committed = event == XACT_EVENT_COMMIT;
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		forget_calls();
}

// Who were called before the locks are free would look before he is told what else has changed.
void on_release(ResourceReleasePhase phase, bool, bool is_top_level, void *)
{
	if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top_level || !is_committed)
		return;
	is_committed = false;
	if (Place *place = reasons ? place_of(MyDatabaseId) : nullptr)
		call_worker(*place, reasons);
	if (reasons)
		quiet_fault_point("the worker is called");
	if (wake_launcher && shared) {
		pg_atomic_fetch_add_u32(&shared->calls, 1);
		call_launcher();
	}
	forget_calls();
}

} // namespace

void request_places()
{
	earlier_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	earlier_startup = shmem_startup_hook;
	shmem_startup_hook = start_up_memory;
	RegisterXactCallback(on_transaction_end, nullptr); // once: backends inherit it
	RegisterResourceReleaseCallback(on_release, nullptr);
}

Place *place_of(Oid database)
{
	for (int i = 0; shared && i < shared->size; ++i)
		if (pg_atomic_read_u32(&shared->place[i].state) != place_free &&
			pg_atomic_read_u32(&shared->place[i].database) == database)
			return &shared->place[i];
	return nullptr;
}

void set_state(Place &place, State state)
{
	pg_atomic_write_u64(&place.since, GetCurrentTimestamp());
	pg_atomic_write_u32(&place.state, state);
}

void call_worker(Place &place, uint32 why)
{
	// Who has been called, and has not looked yet, needs no signal with each call.
	if (pg_atomic_fetch_or_u32(&place.called, why) == 0)
		wake(place);
}

void wake(Place &place)
{
	if (pg_atomic_read_u32(&place.state) == running)
		set_latch_of(pg_atomic_read_u32(&place.process));
}

void call_launcher()
{
	const uint32 launcher = pg_atomic_read_u32(&shared->launcher);
	if (launcher)
		set_latch_of(launcher - 1);
}

void wake_worker_at_commit()
{
	reasons |= messages_written | steps_planned;
}

void wake_worker_to_send_at_commit()
{
	reasons |= messages_written;
}

void wake_launcher_at_commit()
{
	wake_launcher = true;
}

} // namespace automation::pg
