#include "pg/postgres.hpp"

#include "pg/statements.hpp"

namespace automation::pg {

namespace {

Statements statements;
ExecutorFinish_hook_type earlier_finish = nullptr;
ProcessUtility_hook_type earlier_utility = nullptr;

// Here the triggers of a statement are fired, those of its constraints included.
void finish(QueryDesc *query)
{
	const int begun = statements.begin(query->estate->es_processed <= 1);
	(earlier_finish ? earlier_finish : standard_ExecutorFinish)(query);
	statements.end(begun);
}

void process_utility(PlannedStmt *statement, const char *query, bool read_only,
	ProcessUtilityContext context, ParamListInfo parameters, QueryEnvironment *environment,
	DestReceiver *receiver, QueryCompletion *completion)
{
	const bool is_copy = IsA(statement->utilityStmt, CopyStmt);
	const int begun = is_copy ? statements.begin(false) : 0;
	(earlier_utility ? earlier_utility : standard_ProcessUtility)(
		statement, query, read_only, context, parameters, environment, receiver, completion);
	if (is_copy)
		statements.end(begun);
}

} // namespace

void follow_statements(Statements followed)
{
	statements = followed;
	earlier_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = finish;
	earlier_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}

} // namespace automation::pg
