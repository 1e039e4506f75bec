#include "pg/postgres.hpp"

#include "pg/process.hpp"

namespace automation::pg {

namespace {

volatile sig_atomic_t stop = false;

void on_terminate(SIGNAL_ARGS)
{
	const int saved = errno;
	if (stop)
		die(postgres_signal_arg);
	stop = true;
	SetLatch(MyLatch);
	errno = saved;
}

// By this signal PostgreSQL tells itself that lock_timeout is over; anybody else's means nothing.
void on_lock_timeout([[maybe_unused]] SIGNAL_ARGS)
{
	const int saved = errno;
	if (get_timeout_indicator(LOCK_TIMEOUT, false)) {
		InterruptPending = true;
		QueryCancelPending = true;
		SetLatch(MyLatch);
	}
	errno = saved;
}

struct Setting {
	const char *name;
	const char *value;
};

// Short index-driven statements, each transaction durable, nothing waits long for a lock: DDL on
// our tables comes first. What would change the meaning of a statement is as PostgreSQL has it.
constexpr Setting own_settings[] = {
	{"role", "none"},
	{"search_path", "pg_catalog, pg_temp"},
	{"synchronous_commit", "on"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},
	{"session_replication_role", "origin"},
	{"row_security", "on"},
	{"statement_timeout", "0"},
	{"lock_timeout", "1s"},
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"},
	{"array_nulls", "on"},
	{"standard_conforming_strings", "on"},
	{"transform_null_equals", "off"},
	{"default_tablespace", ""},
	{"default_table_access_method", "heap"},
	{"timezone", "UTC"},
	{"datestyle", "ISO, MDY"},
	{"intervalstyle", "postgres"},
	{"bytea_output", "hex"},
	{"extra_float_digits", "1"},
	{"plan_cache_mode", "force_generic_plan"},
	{"enable_seqscan", "off"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
	{"enable_nestloop", "on"},
	{"enable_indexscan", "on"},
	{"enable_indexonlyscan", "on"},
	{"enable_bitmapscan", "on"},
	{"jit", "off"},
};

} // namespace

void begin_process(Oid database)
{
	guard([&] {
		pqsignal(SIGHUP, SignalHandlerForConfigReload);
		pqsignal(SIGTERM, on_terminate);
		pqsignal(SIGINT, on_lock_timeout);
		BackgroundWorkerUnblockSignals();
		if (OidIsValid(database))
			BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
		else
			BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
		pgstat_report_appname(MyBgworkerEntry->bgw_name);
	});
}

void use_own_settings()
{
	guard([] {
		for (const Setting &setting : own_settings)
			SetConfigOption(setting.name, setting.value, PGC_SUSET, PGC_S_OVERRIDE);
	});
}

bool stop_requested()
{
	return stop;
}

void serve_requests()
{
	check_interrupts();
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	guard([] { ProcessConfigFile(PGC_SIGHUP); });
}

Waiting::Waiting(int descriptor)
	: set_(guard([&] {
		  WaitEventSet *set = CreateWaitEventSet(TopMemoryContext, 3);
		  AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
		  AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
		  if (descriptor != no_descriptor)
			  AddWaitEventToSet(set, WL_SOCKET_READABLE, descriptor, nullptr, nullptr);
		  return set;
	  }))
{
}

void Waiting::wait(std::chrono::milliseconds at_most)
{
	guard([&] {
		WaitEvent event;
		WaitEventSetWait(static_cast<WaitEventSet *>(set_), static_cast<long>(at_most.count()),
			&event, 1, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	});
}

void report_running(const char *what)
{
	guard([&] { pgstat_report_activity(STATE_RUNNING, what); });
}

void report_idle()
{
	guard([] { pgstat_report_activity(STATE_IDLE, nullptr); });
}

void report_statistics()
{
	guard([] { pgstat_report_stat(false); });
}

void before_exit(void (*action)())
{
	static void (*the_action)() = nullptr;
	the_action = action;
	guard([] { before_shmem_exit([](int, ::Datum) { the_action(); }, 0); });
}

void exit_for_restart()
{
	proc_exit(1);
}

std::int64_t system_identifier()
{
	return static_cast<std::int64_t>(GetSystemIdentifier());
}

Oid this_database()
{
	return MyDatabaseId;
}

std::uint64_t random_number()
{
	std::uint64_t number = 0;
	if (!pg_strong_random(&number, sizeof number))
		return 0;
	return number;
}

Oid extension_oid()
{
	return guard([] { return get_extension_oid("pg_automation", true); });
}

void warn(const std::string &message, const std::string &hint)
{
	guard([&] {
		ereport(WARNING, errmsg_internal("%s", message.c_str()), errhint("%s", hint.c_str()));
	});
}

} // namespace automation::pg
