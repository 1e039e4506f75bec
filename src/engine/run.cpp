#include "engine/run.hpp"

#include "core/failure.hpp"
#include "engine/bulk.hpp"
#include "engine/cascade.hpp"
#include "engine/changes.hpp"
#include "engine/guard.hpp"
#include "engine/holds.hpp"
#include "engine/judgement.hpp"
#include "engine/schedule.hpp"
#include "engine/steps.hpp"
#include "pg/fault.hpp"
#include "pg/fields.hpp"
#include "pg/gathering.hpp"
#include "pg/identity.hpp"
#include "pg/json.hpp"
#include "pg/veto.hpp"

namespace automation::engine {

namespace {

constexpr std::size_t longest_key = 2'000;	 // bytes; an index has room for it
constexpr std::size_t most_gathered = 1'000; // rows

RunRecord new_record(const Rule &rule, const char *event)
{
	const Cascade &cascade = Cascade::current();
	RunRecord run;
	run.rule = rule.id;
	run.version = rule.version;
	run.subject = rule.subject;
	run.event = event;
	run.depth = cascade.depth();
	run.cause = cascade.cause();
	run.id = next_run();
	return run;
}

// The worst of the steps decides.
std::string status_of(const std::vector<StepRecord> &steps)
{
	std::string status = "succeeded";
	for (const StepRecord &step : steps) {
		if (step.status == "failed")
			return "failed";
		if (step.status == "delivering" || (step.status == "waiting" && status == "succeeded"))
			status = step.status;
	}
	return status;
}

void tell_of_first_failure(RunRecord &run)
{
	for (const StepRecord &step : run.steps)
		if (step.status == "failed") {
			run.reason = "step " + std::to_string(step.number) + ": " + step.reason;
			run.sqlstate = step.sqlstate;
			return;
		}
}

// To abort the write is what some rules are told to do with an error.
void fail(const Rule &rule, RunRecord &run, const char *part, pg::Error error)
{
	if (rule.fails_the_write)
		throw std::move(error);
	run.status = "failed";
	run.reason = part + pg::reason_of(error);
	run.sqlstate = error.sqlstate();
}

void find_key(const Chapter &chapter, Rule &rule, const pg::RowChange &change, RunRecord &run)
{
	run.key = key_text(chapter, rule, change);
	if (rule.has_waits())
		run.source_key = source_key(chapter, rule, change);
}

// The key may be in a related row that the rule's owner can no longer read.
std::optional<pg::Error> try_to_find_key(
	const Chapter &chapter, Rule &rule, const pg::RowChange &change, RunRecord &run)
{
	std::optional<pg::Error> error =
		pg::subtransaction([&] { find_key(chapter, rule, change, run); });
	// The log still says which row it was.
	const std::string own = error && rule.subject == chapter.entity ? chapter.key_of(change) : "";
	if (!own.empty() && own.size() <= longest_key)
		run.key = own;
	return error;
}

void take_steps_once(
	Chapter &chapter, Rule &rule, const pg::RowChange &change, RunRecord &run, Care care)
{
	run.reason = is_held(rule.subject, run.key, rule.id)
		? "stopped for this row"
		: Cascade::current().refusal(rule, run.key);
	if (!run.reason.empty()) {
		run.status = "suppressed";
		return;
	}
	const Cascade::Scope scope(rule.id, run.key, run.id);
	run.steps = take_steps(chapter, rule, change, run, care);
	run.status = status_of(run.steps);
	tell_of_first_failure(run);
}

} // namespace

std::string key_text(const Chapter &chapter, Rule &rule, const pg::RowChange &change)
{
	const pg::Expression &expression = chapter.compile(rule, rule.key);
	const std::optional<pg::Datum> key =
		as_owner(rule, expression, StepKind::message, [&] { return expression.value(change); });
	std::string text = key ? pg::key_text(*key) : std::string();
	if (text.size() > longest_key)
		pg::fail("54000", "the row's key is longer than " + std::to_string(longest_key) + " bytes");
	return text;
}

void write_suppressed(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event,
	const std::string &reason)
{
	RunRecord run = new_record(rule, event);
	run.changes = changes_of(rule, change);
	try_to_find_key(chapter, rule, change, run);
	run.status = "suppressed";
	run.reason = reason;
	write_run(run);
}

namespace {

// An error of any part ends all of it.
void perform_boldly(Chapter &chapter, Rule &rule, const pg::RowChange &change, RunRecord run)
{
	std::optional<pg::Gathering> gathering;
	if (!rule.fails_the_write && Cascade::current().depth() == 0)
		gathering.emplace();
	run.changes = changes_of(rule, change);
	find_key(chapter, rule, change, run);
	take_steps_once(chapter, rule, change, run, Care::none);
	write_run(run);
}

// What fails is undone alone, and recorded.
void perform_carefully(
	Chapter &chapter, Rule &rule, const pg::RowChange &change, Judgement judgement, RunRecord run)
{
	run.changes = changes_of(rule, change);
	std::optional<pg::Error> no_key = try_to_find_key(chapter, rule, change, run);
	if (judgement.error)
		fail(rule, run, judgement.failed, std::move(*judgement.error));
	else if (no_key)
		fail(rule, run, "key: ", std::move(*no_key));
	else
		take_steps_once(chapter, rule, change, run, Care::each_step);
	write_run(run);
}

// All of the run or nothing: what cannot be recorded has not happened, and the write goes on. One
// savepoint is enough as long as nothing fails; else a run that can be is done over, with more.
std::int64_t conclude(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event,
	Judgement judgement)
{
	if (!judgement.error && !judgement.applies)
		return 0;
	// What a rule does in the database may read what the rules before it have left.
	pg::insert_gathered(rule.can_be_done_over() ? most_gathered : 0);
	const RunRecord run = new_record(rule, event);
	pg::fault_point("a run begins");
	if (!judgement.error && rule.can_be_done_over() &&
		!pg::subtransaction([&] { perform_boldly(chapter, rule, change, run); }))
		return run.id;
	std::optional<pg::Error> error = pg::subtransaction(
		[&] { perform_carefully(chapter, rule, change, std::move(judgement), run); });
	if (!error)
		return run.id;
	if (rule.fails_the_write || Cascade::current().gives_way_to(*error))
		throw std::move(*error);
	error->log("run of rule #" + std::to_string(rule.id));
	return 0;
}

} // namespace

bool meet(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event)
{
	const InHand in_hand(rule);
	if (rule.is_guard)
		return stand_guard(chapter, rule, change, event);
	Judgement judgement;
	if (!rule.is_standing)
		judgement = judge_event(chapter, rule, change);
	const bool applies = rule.is_standing || judgement.applies;
	if (judgement.applies && !judgement.error && !may_run(chapter, rule, change, event))
		return true;
	if (rule.wait && !judgement.error)
		judgement = {false, pg::subtransaction([&] {
						 if (rule.is_standing)
							 plan_standing(chapter, rule, change, event);
						 else if (judgement.applies)
							 plan_run(chapter, rule, change);
					 })};
	conclude(chapter, rule, change, event, std::move(judgement));
	return applies;
}

std::int64_t run_if_it_applies(
	Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event)
{
	const InHand in_hand(rule);
	if (rule.is_guard)
		return stand_guard(chapter, rule, change, event), 0;
	if (rule.wait)
		return run_when_due(chapter, rule, change);
	return conclude(chapter, rule, change, event, judge_event(chapter, rule, change));
}

std::int64_t run_when_due(Chapter &chapter, Rule &rule, const pg::RowChange &change)
{
	const InHand in_hand(rule);
	return conclude(chapter, rule, change, "due", judge(chapter, rule, rule.still, change));
}

} // namespace automation::engine
