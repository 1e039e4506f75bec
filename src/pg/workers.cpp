#include "pg/places.hpp"

#include "pg/workers.hpp"

#include "core/failure.hpp"

#include <utility>

namespace automation::pg {

namespace {

constexpr TimestampTz second = USECS_PER_SEC;
constexpr TimestampTz slow_start = 10 * second; // after that nobody is coming any more
constexpr TimestampTz stay_away = 10 * second;

bool is_live(Place &place)
{
	const uint32 state = pg_atomic_read_u32(&place.state);
	return state == starting || state == running;
}

// Whether nobody is at the place, or will be.
bool is_left(Place &place, TimestampTz now)
{
	const uint32 state = pg_atomic_read_u32(&place.state);
	if (state == starting)
		return now - static_cast<TimestampTz>(pg_atomic_read_u64(&place.since)) > slow_start;
	return (state == ended || state == absent) &&
		now >= static_cast<TimestampTz>(pg_atomic_read_u64(&place.away_until));
}

void on_worker_exit(int, ::Datum)
{
	if (pg_atomic_read_u32(&mine->state) == running)
		set_state(*mine, ended);
	call_launcher();
}

void on_launcher_exit(int, ::Datum)
{
	pg_atomic_write_u32(&shared->launcher, 0);
}

BackgroundWorker describe(const char *name, const char *function)
{
	BackgroundWorker worker{};
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	strlcpy(worker.bgw_library_name, "pg_automation", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, function, BGW_MAXLEN);
	strlcpy(worker.bgw_name, name, BGW_MAXLEN);
	strlcpy(worker.bgw_type, name, BGW_MAXLEN);
	return worker;
}

void tell_to_leave(Place &place)
{
	pg_atomic_write_u32(&place.told_to_leave, 1);
	pg_memory_barrier();
	wake(place);
}

// The argument says both the place and for whom it was taken.
bool register_worker(Oid database, int number)
{
	BackgroundWorker worker = describe("pg_automation worker", "automation_worker_main");
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = Int64GetDatum(static_cast<int64>(number) << 32 | database);
	worker.bgw_notify_pid = MyProcPid;
	return guard([&] { return RegisterDynamicBackgroundWorker(&worker, nullptr); });
}

} // namespace

void share_workers()
{
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	request_places();
	BackgroundWorker launcher = describe("pg_automation launcher", "automation_launcher_main");
	launcher.bgw_restart_time = 5;
	RegisterBackgroundWorker(&launcher);
}

void require_preload()
{
	if (!shared)
		throw core::Failure("55000", "pg_automation must be loaded via shared_preload_libraries",
			{.hint = "Add it there and restart the server."});
}

void become_launcher()
{
	guard([] {
		before_shmem_exit(on_launcher_exit, 0);
		pg_atomic_write_u32(&shared->launcher, static_cast<uint32>(MyProc->pgprocno) + 1);
	});
}

bool launcher_called()
{
	static uint32 answered = 0;
	const uint32 calls = pg_atomic_read_u32(&shared->calls);
	return std::exchange(answered, calls) != calls;
}

Start start_worker(Oid database)
{
	if (place_of(database))
		return Start::already;
	for (int i = 0; i < shared->size; ++i) {
		Place &place = shared->place[i];
		if (pg_atomic_read_u32(&place.state) != place_free)
			continue;
		pg_atomic_write_u32(&place.database, database);
		pg_atomic_write_u32(&place.called, messages_written | steps_planned);
		pg_atomic_write_u32(&place.told_to_leave, 0);
		pg_atomic_write_u64(&place.away_until, 0);
		set_state(place, starting);
		if (register_worker(database, i))
			return Start::done;
		set_state(place, place_free);
		break;
	}
	return Start::no_slot;
}

void send_worker_away(Oid database)
{
	if (Place *place = place_of(database))
		tell_to_leave(*place);
}

std::vector<Departure> departed_workers()
{
	std::vector<Departure> departed;
	const TimestampTz now = GetCurrentTimestamp();
	for (int i = 0; i < shared->size; ++i) {
		Place &place = shared->place[i];
		if (!is_left(place, now))
			continue;
		const bool looked_since =
			pg_atomic_read_u32(&place.calls) == pg_atomic_read_u32(&shared->calls);
		departed.push_back({pg_atomic_read_u32(&place.database),
			pg_atomic_read_u32(&place.state) == absent && looked_since});
		set_state(place, place_free);
	}
	return departed;
}

Oid become_worker(Datum argument)
{
	const auto number = static_cast<std::uint64_t>(DatumGetInt64(argument));
	const Oid database = static_cast<Oid>(number);
	Place &place = shared->place[number >> 32];
	uint32 expected = starting;
	if (pg_atomic_read_u32(&place.database) != database)
		return InvalidOid;
	if (!pg_atomic_compare_exchange_u32(&place.state, &expected, running))
		return InvalidOid;
	pg_atomic_write_u32(&place.process, static_cast<uint32>(MyProc->pgprocno));
	pg_atomic_write_u32(&place.calls, pg_atomic_read_u32(&shared->calls));
	mine = &place;
	guard([] { before_shmem_exit(on_worker_exit, 0); });
	return database;
}

bool claim_database()
{
	constexpr uint16 ours = 0x7067; // the advisory functions of SQL know the classes 1 and 2 alone
	return guard([] {
		LOCKTAG tag;
		SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, ours);
		const bool for_the_session = true, without_waiting = true;
		return LockAcquire(&tag, ExclusiveLock, for_the_session, without_waiting) !=
			LOCKACQUIRE_NOT_AVAIL;
	});
}

bool claims_undisturbed()
{
	return guard([] {
		LOCKTAG tag;
		SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0x7067, 1, 2); // pg_advisory_xact_lock(28775, 1)
		const bool for_the_session = false, without_waiting = true;
		return LockAcquire(&tag, ExclusiveLock, for_the_session, without_waiting) !=
			LOCKACQUIRE_NOT_AVAIL;
	});
}

Called worker_called()
{
	const uint32 called = pg_atomic_exchange_u32(&mine->called, 0);
	return {called != 0, (called & steps_planned) != 0};
}

bool told_to_leave()
{
	return pg_atomic_read_u32(&mine->told_to_leave) != 0;
}

void leave_for_lack_of_extension()
{
	set_state(*mine, absent);
}

void make_worker_leave(Oid database)
{
	Place *place = place_of(database);
	if (!place)
		return;
	pg_atomic_write_u64(&place->away_until, static_cast<uint64>(GetCurrentTimestamp() + stay_away));
	tell_to_leave(*place);
	const TimestampTz until = GetCurrentTimestamp() + stay_away / 2;
	while (is_live(*place) && GetCurrentTimestamp() < until) {
		CHECK_FOR_INTERRUPTS();
		pg_usleep(10'000);
	}
}

void let_worker_return(Oid database)
{
	Place *place = place_of(database);
	if (!place)
		return;
	pg_atomic_write_u64(&place->away_until, 0);
	call_launcher();
}

} // namespace automation::pg
