#include "pg/postgres.hpp"

#include "pg/database_ddl.hpp"
#include "pg/workers.hpp"

namespace automation::pg {

namespace {

ProcessUtility_hook_type earlier_hook = nullptr;

const char *template_of(const CreatedbStmt *statement)
{
	for (int i = 0; i < list_length(statement->options); ++i) {
		auto *option = static_cast<DefElem *>(list_nth(statement->options, i));
		if (strcmp(option->defname, "template") == 0 && option->arg)
			return defGetString(option);
	}
	return nullptr;
}

bool moves_database(const AlterDatabaseStmt *statement)
{
	for (int i = 0; i < list_length(statement->options); ++i)
		if (strcmp(static_cast<DefElem *>(list_nth(statement->options, i))->defname,
				"tablespace") == 0)
			return true;
	return false;
}

// The database that the statement wants for itself, if any.
const char *database_wanted(Node *statement)
{
	switch (nodeTag(statement)) {
	case T_DropdbStmt:
		return reinterpret_cast<DropdbStmt *>(statement)->dbname;
	case T_CreatedbStmt:
		return template_of(reinterpret_cast<CreatedbStmt *>(statement));
	case T_AlterDatabaseStmt: {
		const auto *alter = reinterpret_cast<AlterDatabaseStmt *>(statement);
		return moves_database(alter) ? alter->dbname : nullptr;
	}
	case T_RenameStmt: {
		const auto *rename = reinterpret_cast<RenameStmt *>(statement);
		return rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
	}
	default:
		return nullptr;
	}
}

// Only for who may: others get their error, and the worker stays.
Oid database_to_clear(Node *statement)
{
	const char *name = database_wanted(statement);
	const Oid database = name ? get_database_oid(name, true) : InvalidOid;
	if (!OidIsValid(database) || database == MyDatabaseId ||
		!pg_database_ownercheck(database, GetUserId()))
		return InvalidOid;
	return database;
}

void process_utility(PlannedStmt *statement, const char *query, bool read_only,
	ProcessUtilityContext context, ParamListInfo parameters, QueryEnvironment *environment,
	DestReceiver *receiver, QueryCompletion *completion)
{
	const Oid database = database_to_clear(statement->utilityStmt);
	if (OidIsValid(database))
		make_worker_leave(database);
	const ProcessUtility_hook_type next = earlier_hook ? earlier_hook : standard_ProcessUtility;
	next(statement, query, read_only, context, parameters, environment, receiver, completion);
	if (OidIsValid(database))
		let_worker_return(database);
}

} // namespace

void make_way_for_database_ddl()
{
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	earlier_hook = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}

} // namespace automation::pg
