#include "pg/body.hpp"

#include "pg/stored_query.hpp"

namespace automation::pg {

namespace {

// Keeps the first column of the first row.
struct FirstValue {
	DestReceiver receiver; // first, so that a pointer to it is one to this
	MemoryContext memory;
	::Datum value;
	bool is_null;
	bool is_full;
};

void start_up(DestReceiver *, int, TupleDesc) {}
void shut_down(DestReceiver *) {}

bool receive(TupleTableSlot *row, DestReceiver *receiver)
{
	auto *first = reinterpret_cast<FirstValue *>(receiver);
	if (first->is_full)
		return true;
	first->is_full = true;
	const ::Datum value = slot_getattr(row, 1, &first->is_null);
	Form_pg_attribute column = TupleDescAttr(row->tts_tupleDescriptor, 0);
	MemoryContext before = MemoryContextSwitchTo(first->memory);
	if (!first->is_null)
		first->value = datumCopy(value, column->attbyval, column->attlen);
	MemoryContextSwitchTo(before);
	return true;
}

// Called when plancache analyses the text.
void note_outdated(ParseState *, void *is_outdated)
{
	*static_cast<bool *>(is_outdated) = true;
}

ParamListInfo parameters_of(Oid row_type, std::optional<Datum> before, std::optional<Datum> after,
	const Place &place, Datum tid)
{
	ParamListInfo list = makeParamList(table_parameter);
	const auto set = [&](int number, Datum value, bool is_null, Oid type) {
		list->params[number - 1] = {value, is_null, PARAM_FLAG_CONST, type};
	};
	set(old_parameter, before.value_or(0), !before, row_type);
	set(new_parameter, after.value_or(0), !after, row_type);
	set(place_parameter, tid, !place, TIDOID);
	set(table_parameter, ObjectIdGetDatum(place.table), !place, OIDOID);
	return list;
}

void execute(
	PlannedStmt *statement, const char *name, ParamListInfo parameters, DestReceiver *receiver)
{
	if (statement->commandType == CMD_UTILITY) { // NOTIFY, of somebody's rewrite rule
		ProcessUtility(
			statement, name, true, PROCESS_UTILITY_QUERY, parameters, nullptr, receiver, nullptr);
		return;
	}
	QueryDesc *query = CreateQueryDesc(statement, name, GetActiveSnapshot(), InvalidSnapshot,
		statement->canSetTag ? receiver : None_Receiver, parameters, nullptr, 0);
	ExecutorStart(query, 0);
	ExecutorRun(query, ForwardScanDirection, 0, true);
	ExecutorFinish(query);
	ExecutorEnd(query);
	FreeQueryDesc(query);
}

} // namespace

StoredQuery::StoredQuery(Asked asked)
	: asked_(asked), name_(guard([&]() -> const char * {
		  const char *name = get_func_name(asked.function);
		  return name ? name : "dropped function";
	  }))
{
}

StoredQuery::~StoredQuery()
{
	forget();
}

void StoredQuery::forget() noexcept
{
	if (source_)
		detail::run_guarded_noexcept(
			[](void *source) { DropCachedPlan(static_cast<CachedPlanSource *>(source)); },
			std::exchange(source_, nullptr));
}

void StoredQuery::prepare()
{
	MemoryContext scratch = AllocSetContextCreate(
		CurrentMemoryContext, "pg_automation stored query", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	Query *query = asked_.what == Asked::number_of_rows ? count_query_of(asked_.function)
														: body_of(asked_.function);
	if (asked_.what > 0)
		keep_conjunct(query, asked_.what);
	const CommandTag tag = CreateCommandTag(reinterpret_cast<Node *>(query));
	AcquireRewriteLocks(query, true, false);
	List *queries = pg_rewrite_query(query);
	RawStmt *nothing = makeNode(RawStmt);
	nothing->stmt = reinterpret_cast<Node *>(makeNode(SelectStmt));
	CachedPlanSource *source = CreateCachedPlan(nothing, name_.c_str(), tag);
	// With a plan for any row: the constants are in the query itself.
	CompleteCachedPlan(source, queries, nullptr, nullptr, 0, note_outdated, &is_outdated_,
		CURSOR_OPT_GENERIC_PLAN, false);
	SaveCachedPlan(source);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	source_ = source;
	is_outdated_ = false;
}

// One that is out of date plancache would analyse again from its text. That is nothing (SELECT),
// and only tells that the query is to be prepared again from what is stored. With row_security off
// PostgreSQL raises an error where a policy would hide rows.
CachedPlan *StoredQuery::plan()
{
	const int level = NewGUCNestLevel();
	set_config_option(
		"row_security", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	CachedPlan *plan = nullptr;
	while (!plan) {
		if (!source_)
			prepare();
		plan = GetCachedPlan(source_, nullptr, CurrentResourceOwner, nullptr);
		if (is_outdated_) {
			ReleaseCachedPlan(std::exchange(plan, nullptr), CurrentResourceOwner);
			forget();
		}
	}
	AtEOXact_GUC(false, level);
	return plan;
}

void StoredQuery::check()
{
	guard([&] {
		CachedPlan *current = plan();
		for (int i = 0; i < list_length(current->stmt_list); ++i)
			ExecCheckRTPerms(list_nth_node(PlannedStmt, current->stmt_list, i)->rtable, true);
		ReleaseCachedPlan(current, CurrentResourceOwner);
	});
}

std::size_t StoredQuery::size() const
{
	if (!source_)
		return 0;
	return MemoryContextMemAllocated(source_->context, true) +
		(source_->gplan ? MemoryContextMemAllocated(source_->gplan->context, true) : 0);
}

// Each statement sees what the one before it did, as in an SQL function.
void StoredQuery::run(ParamListInfoData *parameters, void *receiver)
{
	CachedPlan *current = plan();
	for (int i = 0; i < list_length(current->stmt_list); ++i) {
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
		execute(list_nth_node(PlannedStmt, current->stmt_list, i), name_.c_str(), parameters,
			static_cast<DestReceiver *>(receiver));
		PopActiveSnapshot();
	}
	CommandCounterIncrement();
	ReleaseCachedPlan(current, CurrentResourceOwner);
}

std::optional<Datum> StoredQuery::value(
	std::optional<Datum> before, std::optional<Datum> after, const Place &place)
{
	const Datum tid = tid_of(place);
	struct Outcome {
		::Datum value;
		bool is_null;
	};
	const Outcome outcome = guard([&] {
		FirstValue first{{receive, start_up, shut_down, shut_down, DestNone}, CurrentMemoryContext,
			0, true, false};
		run(parameters_of(asked_.row_type, before, after, place, tid), &first.receiver);
		return Outcome{first.value, first.is_null};
	});
	return outcome.is_null ? std::nullopt : std::optional(outcome.value);
}

} // namespace automation::pg
