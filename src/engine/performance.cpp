#include "engine/performance.hpp"

#include "engine/cascade.hpp"
#include "engine/run.hpp"
#include "engine/schedule.hpp"
#include "engine/steps.hpp"

namespace automation::engine {

namespace {

// The row is locked before anything is judged: a change that comes later waits until we are done,
// one that came earlier is seen.
Image hold_row(const Task &task, Chapter &subject, Chapter &source)
{
	std::optional<pg::RowFinder::Row> row = subject.rows().lock(task.key);
	if (!row && subject.rows().find(task.key))
		return {Image::State::busy, {}};
	if (row && !task.source_key.empty())
		row = source.rows().find(task.source_key);
	return {row ? Image::State::there : Image::State::gone, row};
}

} // namespace

// One that ends it does so for good, whoever is at the row now.
void Performance::settle()
{
	if (ended(now()) || task.step == 0)
		return;
	const bool dated = wait().anchor == Wait::Anchor::field;
	if (!dated && !wait().until && task.awaits != "leaving")
		return;
	const Image image = hold_row(task, subject, chapter);
	if (image.state == Image::State::busy)
		wait().until ? look_again(task) : postpone(task); // then it is reckoned
	else if (image.state == Image::State::there)
		follow(row_of(image), now());
}

void Performance::follow(const pg::RowChange &row, const Circumstances &circumstances)
{
	if (ended(circumstances))
		return;
	const bool may_go_on =
		task.awaits != "previous" && rule.state != State::paused && !circumstances.is_held;
	if (wait().until && may_go_on && is_over(chapter, rule, step(), row))
		go_on(row);
	else if (wait().anchor == Wait::Anchor::field)
		follow_the_date(row);
	else if (task.awaits == "leaving")
		follow_the_leaving(row);
}

bool Performance::perform()
{
	const Image image =
		wait().has_no_row ? Image{Image::State::there, {}} : hold_row(task, subject, chapter);
	if (image.state == Image::State::busy)
		return false;
	const Circumstances circumstances = now();
	if (rule.state == State::paused || circumstances.is_held)
		park(task);
	else if (ended(circumstances))
		return true;
	else if (image.state == Image::State::gone)
		cancel(task, "row deleted");
	else
		take(row_of(image));
	return true;
}

Circumstances Performance::now()
{
	return circumstances(task, wait().by_difference ? std::vector<int>() : wait().cancelled_by);
}

bool Performance::ended(const Circumstances &circumstances)
{
	if (rule.state == State::disabled && !rule.finishes)
		return cancel(task, "rule disabled"), true;
	if (!circumstances.touch.empty())
		return cancel(task, circumstances.touch), true;
	if (circumstances.is_superseded)
		return remove(task), true;
	return false;
}

pg::RowChange Performance::row_of(const Image &image)
{
	if (!image.row)
		return pg::change_of(*chapter.type, pg::Event::insert, std::nullopt, std::nullopt);
	return pg::change_of(
		*chapter.type, pg::Event::insert, std::nullopt, image.row->value, image.row->place);
}

// A date may have moved, and nobody has settled that yet, or the rule was paused meanwhile.
bool Performance::depends_on_the_row()
{
	if (task.awaits.empty())
		return wait().anchor == Wait::Anchor::field && !wait().recurs;
	return task.awaits != "previous" && task.awaits != "until";
}

// What was not known when it was planned is known now. False: it is due later.
bool Performance::reckoned(const pg::RowChange &row)
{
	std::optional<pg::Instant> from = pg::present();
	if (task.awaits == "trigger")
		from = began_at(task);
	else if (task.awaits == "entered")
		from = entered_at(task, wait().anchored_on);
	else if (task.awaits == "leaving")
		from = left_at(task, wait().anchored_on);
	if (!from)
		return wait_on(task), false;
	const pg::CountingFrom base(*from);
	const pg::Instant due = due_time(chapter, rule, wait(), row);
	if (due <= pg::present())
		return true;
	move(task, due);
	return false;
}

void Performance::follow_the_leaving(const pg::RowChange &row)
{
	const std::optional<pg::Instant> left = left_at(task, wait().anchored_on);
	if (!left)
		return;
	const pg::CountingFrom base(*left);
	move(task, due_time(chapter, rule, wait(), row));
}

void Performance::follow_the_date(const pg::RowChange &row)
{
	const pg::Instant due = due_time(chapter, rule, wait(), row);
	if (due != task.due)
		move(task, due);
}

bool Performance::differs(const pg::RowChange &row)
{
	if (wait().by_difference && values_seen(wait(), row) != task.seen)
		return cancel(task, "a value is not what it was"), true;
	if (!wait().unless)
		return false;
	const pg::Expression &unless = chapter.compile(rule, wait().unless);
	if (!as_owner(rule, unless, StepKind::message, [&] { return unless.holds(row); }))
		return false;
	return cancel(task, "its cancel_when holds"), true;
}

void Performance::take(const pg::RowChange &row)
{
	if (task.step > 0 && task.awaits != "previous" && is_over(chapter, rule, step(), row))
		return go_on(row);
	if (task.awaits == "until" && waits_on(task))
		return;
	if ((depends_on_the_row() && !reckoned(row)) || differs(row))
		return;
	if (task.step == 0)
		begin(row);
	else if (task.awaits == "previous" && previous_failed(task))
		finish(task, {task.step, "", "not_run", after_failure});
	else if (task.awaits != "previous" || is_over(chapter, rule, step(), row) || reckoned(row))
		go_on(row);
}

void Performance::begin(const pg::RowChange &row)
{
	// The date's own instant, however much later it was resumed.
	if (!rule.is_standing || is_first(task, due_time(chapter, rule, wait(), row)))
		run_when_due(chapter, rule, row);
	remove(task);
	if (wait().recurs && rule.is_active)
		plan_run(chapter, rule, row);
}

void Performance::go_on(const pg::RowChange &row)
{
	RunRecord run;
	run.id = task.run;
	run.rule = task.rule;
	run.version = task.version;
	run.subject = task.subject;
	run.key = task.key;
	run.source_key = task.source_key;
	const Cascade::Scope scope(rule.id, task.key, task.run);
	finish(task, take_step(chapter, rule, step(), row, run));
}

} // namespace automation::engine
