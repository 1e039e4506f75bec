// A background worker in miniature: transactions that fail in every way, in one process that lives
// on.
#include "pg/postgres.hpp"

#include "pg/entry.hpp"

#include "core/failure.hpp"
#include "pg/identity.hpp"
#include "pg/spi.hpp"
#include "raise.hpp"
#include "scopes.hpp"
#include "tracer.hpp"
#include "worker.hpp"

#include <vector>

namespace automation::wall {

namespace {

// One turn of the loop: a row, and then perhaps an error.
std::string turn(const std::string &command, std::string_view kind)
{
	const Tracer tracer;
	const std::optional<pg::Error> error = pg::transaction([&] {
		const Tracer inside;
		execute(command);
		raise(kind);
	});
	if (!error)
		return "ok";
	error->log_warning();
	return error->sqlstate() + " " + error->message();
}

void report(const std::vector<std::string> &answers)
{
	pg::transaction([&] {
		pg::Spi spi;
		for (const std::string &answer : answers)
			spi.execute(pg::ActAs::engine(), "INSERT INTO wall.report VALUES ($1, $2)",
				{pg::Value::text(answer), pg::Value::int4(Tracer::live)});
	});
}

// Ends with an error that nobody stops: the process ends, and nothing else.
void work(Datum)
{
	const std::string row = "INSERT INTO wall.worked VALUES (1) RETURNING number";
	std::vector<std::string> answers;
	for (int i = 0; i < 300; ++i) {
		answers = {turn(row, "none"), turn(row, "postgres"), turn("SELECT 1 / 0", "none"),
			turn("INSERT INTO wall.checked_at_commit VALUES (1), (1) RETURNING number", "none"),
			turn(row, "none")};
	}
	answers.push_back("contexts " +
		execute_in_transaction(
			"SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'pg_automation%'"));
	report(answers);
	turn(row, "failure");
}

} // namespace

std::string execute_in_transaction(const std::string &query)
{
	std::string result;
	pg::transaction([&] { result = execute(query).value_or("null"); });
	return result;
}

void start_worker(const std::string &library)
{
	BackgroundWorker worker{};
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_name, "wall worker", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, library.c_str(), BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "wall_work", BGW_MAXLEN);
	pg::guard([&] {
		BackgroundWorkerHandle *handle;
		if (!RegisterDynamicBackgroundWorker(&worker, &handle))
			elog(ERROR, "no background worker is free");
		WaitForBackgroundWorkerShutdown(handle);
	});
}

} // namespace automation::wall

extern "C" {
PGDLLEXPORT void wall_work(Datum database);
void wall_work(Datum database)
{
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
	automation::pg::enter_worker<automation::wall::work>(database);
}
}
