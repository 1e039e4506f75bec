#include "engine/schedule.hpp"

#include "core/json.hpp"
#include "engine/bulk.hpp"
#include "engine/cascade.hpp"
#include "engine/run.hpp"
#include "pg/identity.hpp"
#include "pg/json.hpp"

namespace automation::engine {

namespace {

// Waits that cannot be reckoned before something else has happened.
const char *awaited(const Wait &wait)
{
	if (wait.anchor == Wait::Anchor::leaving)
		return "leaving";
	return wait.anchor == Wait::Anchor::entered ? "entered" : "";
}

Plan plan_of(const Rule &rule, const Wait &wait, const pg::RowChange &row)
{
	Plan plan;
	plan.rule = rule.id;
	plan.version = rule.version;
	plan.subject = rule.subject;
	plan.seen = values_seen(wait, row);
	return plan;
}

Plan plan_of(
	const Rule &rule, const Wait &wait, const pg::RowChange &row, const RunRecord &run, int step)
{
	Plan plan = plan_of(rule, wait, row);
	plan.run = run.id;
	plan.key = run.key;
	plan.source_key = run.source_key;
	plan.step = step;
	return plan;
}

// When the run of a standing rule would begin; never: not at all.
pg::Instant standing_time(Chapter &chapter, Rule &rule, const pg::RowChange &row)
{
	const pg::Expression &still = chapter.compile(rule, rule.still);
	const bool holds = as_owner(rule, still, StepKind::message, [&] { return still.holds(row); });
	return holds ? due_time(chapter, rule, *rule.wait, row) : pg::never;
}

} // namespace

std::string source_key(const Chapter &chapter, const Rule &rule, const pg::RowChange &change)
{
	return rule.subject == chapter.entity ? std::string() : chapter.key_of(change);
}

pg::Instant due_time(const Chapter &chapter, const Rule &rule, Wait &wait, const pg::RowChange &row)
{
	if (!wait.due)
		return pg::present();
	const pg::Expression &due = chapter.compile(rule, wait.due);
	const std::optional<pg::Datum> time =
		as_owner(rule, due, StepKind::message, [&] { return due.value(row); });
	return time ? pg::to_instant(*time) : pg::never;
}

bool is_over(const Chapter &chapter, const Rule &rule, Step &step, const pg::RowChange &row)
{
	if (!step.wait->until)
		return false;
	const pg::Expression &until = chapter.compile(rule, step.wait->until);
	return as_owner(rule, until, StepKind::message, [&] { return until.holds(row); });
}

std::string values_seen(const Wait &wait, const pg::RowChange &row)
{
	if (!wait.by_difference)
		return {};
	const pg::OrdinarySettings settings(pg::OrdinarySettings::Need::all);
	std::string text = "{";
	for (const int column : wait.cancelled_by) {
		const std::optional<std::string> value = row.new_text(column);
		text += (text.size() > 1 ? "," : "") + core::json_string(std::to_string(column)) + ":" +
			(value ? core::json_string(*value) : "null");
	}
	return text + "}";
}

void plan_standing(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event)
{
	if (change.event() == pg::Event::update && !change.changed_anything())
		return;
	pg::Instant before = pg::never, after = pg::never;
	// Of a row that could not be reckoned nothing was planned.
	if (change.event() == pg::Event::update)
		(void)pg::subtransaction(
			[&] { before = standing_time(chapter, rule, change.as_it_was()); });
	after = standing_time(chapter, rule, change);
	if (after == before)
		return;
	// One that was planned before may be moved, and ended, by any number of changes.
	if (before == pg::never && !may_run(chapter, rule, change, event))
		return;
	Plan plan = plan_of(rule, *rule.wait, change);
	plan.key = key_text(chapter, rule, change);
	plan.source_key = source_key(chapter, rule, change);
	plan.due = after;
	if (after != pg::never)
		write_plan(plan);
	else
		write_touch({rule.subject, plan.key, {}, rule.id, Cascade::current().cause(),
			"condition of the rule no longer holds"});
}

void plan_run(Chapter &chapter, Rule &rule, const pg::RowChange &row)
{
	Plan plan = plan_of(rule, *rule.wait, row);
	plan.key = rule.wait->has_no_row ? std::string() : key_text(chapter, rule, row);
	plan.source_key = source_key(chapter, rule, row);
	plan.due = due_time(chapter, rule, *rule.wait, row);
	if (plan.due != pg::never)
		write_plan(plan);
}

StepRecord plan_after_previous(
	const Rule &rule, const Step &step, const pg::RowChange &row, const RunRecord &run)
{
	Plan plan = plan_of(rule, *step.wait, row, run, step.number);
	plan.awaits = "previous";
	write_plan(plan);
	return {step.number, step.action, "waiting", "after step " + std::to_string(step.number - 1)};
}

std::optional<StepRecord> plan_step(const Chapter &chapter, const Rule &rule, Step &step,
	const pg::RowChange &row, const RunRecord &run)
{
	Wait &wait = *step.wait;
	Plan plan = plan_of(rule, wait, row, run, step.number);
	plan.awaits = awaited(wait);
	if (plan.awaits.empty())
		plan.due = due_time(chapter, rule, wait, row);
	else if (plan.awaits == "entered")
		plan.due = pg::present();
	if (plan.awaits.empty() && plan.due == pg::never)
		plan.awaits = "field";
	if (plan.awaits.empty() && plan.due <= pg::present())
		return std::nullopt;
	write_plan(plan);
	StepRecord record{step.number, step.action, "waiting"};
	if (plan.due != pg::never)
		record.due = pg::iso_text(plan.due);
	return record;
}

} // namespace automation::engine
