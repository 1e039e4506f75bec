#include "engine/run.hpp"

#include "core/failure.hpp"
#include "core/json.hpp"
#include "engine/cascade.hpp"
#include "engine/holds.hpp"
#include "engine/schedule.hpp"
#include "engine/steps.hpp"
#include "pg/identity.hpp"
#include "pg/json.hpp"

namespace automation::engine {

namespace {

constexpr std::size_t longest_key = 2'000; // bytes; an index has room for it

const char *event_name(pg::Event event)
{
	switch (event) {
	case pg::Event::insert:
		return "created";
	case pg::Event::update:
		return "updated";
	default:
		return "deleted";
	}
}

std::string json_or_null(const std::optional<std::string> &text)
{
	return text ? core::json_string(*text) : "null";
}

// The watched columns that changed: {"status": ["Scheduled", "Dispatched"]}.
std::string changes_json(const Rule &rule, const pg::RowChange &change)
{
	if (change.event() != pg::Event::update || rule.when.watched().empty())
		return {};
	const pg::OrdinarySettings settings(pg::OrdinarySettings::Need::all);
	std::string text = "{";
	for (const int column : rule.when.watched())
		text += (text.size() > 1 ? "," : "") +
			core::json_string(change.type().column_name(column)) + ":[" +
			json_or_null(change.old_text(column)) + "," + json_or_null(change.new_text(column)) +
			"]";
	return text + "}";
}

struct Judgement {
	bool applies = false;
	std::optional<pg::Error> error = {};
};

// A savepoint is needed only where evaluating can fail.
Judgement judge(const Rule &rule, const pg::Expression &condition, const pg::RowChange &change)
{
	Judgement judgement;
	if (condition.is_harmless())
		judgement.applies = condition.holds(change);
	else
		judgement.error = pg::subtransaction([&] {
			judgement.applies = as_owner(
				rule, condition, StepKind::message, [&] { return condition.holds(change); });
		});
	return judgement;
}

Judgement judge_event(const Rule &rule, const pg::RowChange &change)
{
	// Every change names what changed but a plain `updated`, and no-op updates fire nothing.
	if (change.event() == pg::Event::update && rule.when.watched().empty() &&
		!change.changed_anything())
		return {};
	return judge(rule, rule.when, change);
}

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

std::string first_reason(const std::vector<StepRecord> &steps)
{
	for (const StepRecord &step : steps)
		if (step.status == "failed")
			return "step " + std::to_string(step.number) + ": " + step.reason;
	return {};
}

// To abort the write is what some rules are told to do with an error.
void fail(const Rule &rule, RunRecord &run, const char *part, pg::Error error)
{
	if (rule.fails_the_write)
		throw std::move(error);
	run.status = "failed";
	run.reason = part + error.message();
	run.sqlstate = error.sqlstate();
}

// The key may be in a related row that the rule's owner can no longer read.
std::optional<pg::Error> find_key(
	const Chapter &chapter, const Rule &rule, const pg::RowChange &change, RunRecord &run)
{
	return pg::subtransaction([&] {
		run.key = key_text(rule, change);
		if (rule.has_waits())
			run.source_key = source_key(chapter, rule, change);
	});
}

void take_steps_once(Chapter &chapter, Rule &rule, const pg::RowChange &change, RunRecord &run)
{
	run.reason = is_held(rule.subject, run.key, rule.id)
		? "stopped for this row"
		: Cascade::current().refusal(rule, run.key);
	if (!run.reason.empty()) {
		run.status = "suppressed";
		return;
	}
	const Cascade::Scope scope(rule, run.key, run.id);
	run.steps = take_steps(chapter, rule, change, run);
	run.status = status_of(run.steps);
	run.reason = first_reason(run.steps);
}

} // namespace

std::string key_text(const Rule &rule, const pg::RowChange &change)
{
	const std::optional<pg::Datum> key =
		as_owner(rule, rule.key, StepKind::message, [&] { return rule.key.value(change); });
	const std::string text = key ? pg::key_text(*key) : std::string();
	if (text.size() > longest_key)
		pg::fail("54000", "the row's key is longer than " + std::to_string(longest_key) + " bytes");
	return text;
}

namespace {

void perform(
	Chapter &chapter, Rule &rule, const pg::RowChange &change, Judgement judgement, RunRecord &run)
{
	run.changes = changes_json(rule, change);
	std::optional<pg::Error> no_key = find_key(chapter, rule, change, run);
	if (judgement.error)
		fail(rule, run, "condition: ", std::move(*judgement.error));
	else if (no_key)
		fail(rule, run, "key: ", std::move(*no_key));
	else
		take_steps_once(chapter, rule, change, run);
	write_run(run);
}

// All of the run or nothing: what cannot be recorded has not happened, and the write goes on.
std::int64_t conclude(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event,
	Judgement judgement)
{
	if (!judgement.error && !judgement.applies)
		return 0;
	RunRecord run = new_record(rule, event);
	std::optional<pg::Error> error =
		pg::subtransaction([&] { perform(chapter, rule, change, std::move(judgement), run); });
	if (!error)
		return run.id;
	if (rule.fails_the_write || Cascade::current().gives_way_to(*error))
		throw std::move(*error);
	error->log("run of rule #" + std::to_string(rule.id));
	return 0;
}

} // namespace

void meet(Chapter &chapter, Rule &rule, const pg::RowChange &change)
{
	Judgement judgement;
	if (!rule.is_standing)
		judgement = judge_event(rule, change);
	if (rule.wait && !judgement.error)
		judgement = {false, pg::subtransaction([&] {
						 if (rule.is_standing)
							 plan_standing(chapter, rule, change);
						 else if (judgement.applies)
							 plan_run(chapter, rule, change);
					 })};
	conclude(chapter, rule, change, event_name(change.event()), std::move(judgement));
}

std::int64_t run_if_it_applies(Chapter &chapter, Rule &rule, const pg::RowChange &change)
{
	if (rule.wait)
		return run_when_due(chapter, rule, change);
	return conclude(chapter, rule, change, event_name(change.event()), judge_event(rule, change));
}

std::int64_t run_when_due(Chapter &chapter, Rule &rule, const pg::RowChange &change)
{
	return conclude(
		chapter, rule, change, "due", judge(rule, chapter.compile(rule, rule.still), change));
}

} // namespace automation::engine
