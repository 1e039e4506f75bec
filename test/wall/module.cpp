// What SQL can call of this module; module.sql declares it.
#include "pg/entry.hpp"

#include "pg/invocation.hpp"
#include "raise.hpp"
#include "scopes.hpp"
#include "tracer.hpp"
#include "worker.hpp"

#include <malloc.h>

extern "C" {
PG_MODULE_MAGIC;
}

namespace automation::wall {

namespace {

using pg::text_argument;
using pg::text_array_argument;

std::string joined(const std::vector<std::string> &answers)
{
	std::string text;
	for (const std::string &answer : answers)
		text += (text.empty() ? "" : "; ") + answer;
	return text;
}

Datum call_raise(FunctionCallInfo call)
{
	raise_below_guards(text_argument(call, 0), pg::integer_argument(call, 1));
	return pg::text_result("nothing raised");
}

Datum call_execute(FunctionCallInfo call)
{
	return pg::text_result_or_null(call, execute(text_argument(call, 0)));
}

Datum call_attempt(FunctionCallInfo call)
{
	return pg::text_result(joined(attempt(text_array_argument(call, 0))));
}

Datum call_attempt_nested(FunctionCallInfo call)
{
	return pg::text_result(joined(attempt_nested(text_array_argument(call, 0))));
}

Datum call_attempt_raise(FunctionCallInfo call)
{
	return pg::text_result(attempt_raise(text_argument(call, 0), text_argument(call, 1)));
}

Datum call_keep_and_throw(FunctionCallInfo call)
{
	keep_and_throw(text_argument(call, 0));
	return pg::text_result("nothing raised");
}

Datum call_restores_state(FunctionCallInfo call)
{
	return BoolGetDatum(restores_state(text_argument(call, 0)));
}

Datum call_raise_in_memory(FunctionCallInfo call)
{
	raise_in_memory(text_argument(call, 0));
	return pg::text_result("nothing raised");
}

Datum call_divide(FunctionCallInfo call)
{
	return pg::text_result(
		std::to_string(divide(pg::integer_argument(call, 0), pg::integer_argument(call, 1))));
}

Datum call_broken_statement(FunctionCallInfo)
{
	execute_broken_statement();
	return pg::text_result("nothing raised");
}

Datum call_spin(FunctionCallInfo)
{
	spin();
}

Datum call_spin_in_subtransaction(FunctionCallInfo)
{
	spin_in_subtransaction();
	return pg::text_result("nothing raised");
}

Datum call_start_worker(FunctionCallInfo call)
{
	start_worker(text_argument(call, 0));
	return pg::text_result("ended");
}

// What the tests count.

Datum live_objects(FunctionCallInfo)
{
	return Int32GetDatum(Tracer::live);
}

Datum heap_in_use(FunctionCallInfo)
{
	return Int64GetDatum(static_cast<int64>(mallinfo2().uordblks));
}

Datum is_handling(FunctionCallInfo)
{
	return BoolGetDatum(std::current_exception() != nullptr);
}

// What the wall forbids: without it the counts could be blind.
Datum leak(FunctionCallInfo)
{
	const Tracer tracer;
	ereport(ERROR, errmsg("past an object"));
}

} // namespace

} // namespace automation::wall

PG_ENTRY(wall_raise, automation::wall::call_raise);
PG_ENTRY(wall_execute, automation::wall::call_execute);
PG_ENTRY(wall_attempt, automation::wall::call_attempt);
PG_ENTRY(wall_attempt_nested, automation::wall::call_attempt_nested);
PG_ENTRY(wall_attempt_raise, automation::wall::call_attempt_raise);
PG_ENTRY(wall_keep_and_throw, automation::wall::call_keep_and_throw);
PG_ENTRY(wall_restores_state, automation::wall::call_restores_state);
PG_ENTRY(wall_raise_in_memory, automation::wall::call_raise_in_memory);
PG_ENTRY(wall_divide, automation::wall::call_divide);
PG_ENTRY(wall_broken_statement, automation::wall::call_broken_statement);
PG_ENTRY(wall_spin, automation::wall::call_spin);
PG_ENTRY(wall_spin_in_subtransaction, automation::wall::call_spin_in_subtransaction);
PG_ENTRY(wall_start_worker, automation::wall::call_start_worker);
PG_ENTRY(wall_live_objects, automation::wall::live_objects);
PG_ENTRY(wall_heap_in_use, automation::wall::heap_in_use);
PG_ENTRY(wall_is_handling, automation::wall::is_handling);
PG_ENTRY(wall_leak, automation::wall::leak);
