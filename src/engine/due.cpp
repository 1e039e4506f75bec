#include "engine/due.hpp"

#include "engine/agenda.hpp"
#include "engine/backfill.hpp"
#include "engine/cascade.hpp"
#include "engine/run.hpp"
#include "engine/schedule.hpp"
#include "engine/steps.hpp"
#include "pg/identity.hpp"

namespace automation::engine {

namespace {

class Performance {
public:
	Performance(const Task &task, Chapter &chapter, Rule &rule)
		: task_(task), chapter_(chapter), rule_(rule), in_hand_(rule),
		  wait_(task.step == 0 ? *rule.wait : *step().wait)
	{
	}

	// A touch may have ended it, or moved it.
	void settle()
	{
		const Image image = wait_.has_no_row ? Image{Image::State::there, {}} : hold_row(task_);
		if (image.state == Image::State::busy || ended(image))
			return;
		const pg::RowChange row = row_of(image);
		if (task_.step == 0)
			return;
		if (wait_.anchor == Wait::Anchor::field)
			follow_the_date(row);
		else if (task_.awaits == "leaving")
			follow_the_leaving(row);
	}

	// Its time has come. False: the row is locked.
	bool perform()
	{
		if (rule_.state == State::paused || is_held(task_)) {
			park(task_);
			return true;
		}
		const Image image = wait_.has_no_row ? Image{Image::State::there, {}} : hold_row(task_);
		if (image.state == Image::State::busy)
			return false;
		if (ended(image))
			return true;
		const pg::RowChange row = row_of(image);
		if (depends_on_the_row() && !reckoned(row))
			return true;
		if (differs(row))
			return true;
		if (task_.step == 0)
			begin(row);
		else if (task_.awaits == "previous" && previous_failed(task_))
			finish(task_, {task_.step, "", "not_run", after_failure});
		else if (task_.awaits != "previous" || reckoned(row))
			go_on(row);
		return true;
	}

private:
	Step &step() { return rule_.steps.at(static_cast<std::size_t>(task_.step) - 1); }

	bool ended(const Image &image)
	{
		if (rule_.state == State::disabled && !rule_.finishes)
			return cancel(task_, "rule disabled"), true;
		const std::string touch =
			touch_since(task_, wait_.by_difference ? std::vector<int>() : wait_.cancelled_by);
		if (!touch.empty())
			return cancel(task_, touch), true;
		if (image.state == Image::State::gone)
			return cancel(task_, "row deleted"), true;
		if (is_superseded(task_))
			return remove(task_), true;
		return false;
	}

	pg::RowChange row_of(const Image &image) const
	{
		if (wait_.has_no_row)
			return pg::change_of(*chapter_.type, pg::Event::insert, std::nullopt, std::nullopt);
		return change_from_json(chapter_, rule_, image.json);
	}

	// A date may have moved, and nobody has settled that yet, or the rule was paused meanwhile.
	bool depends_on_the_row() const
	{
		if (task_.awaits.empty())
			return wait_.anchor == Wait::Anchor::field && !wait_.recurs;
		return task_.awaits != "previous";
	}

	// What was not known when it was planned is known now. False: it is due later.
	bool reckoned(const pg::RowChange &row)
	{
		const pg::CountingFrom base(
			task_.awaits == "entered" ? entered_at(task_, wait_.anchored_on) : pg::present());
		const pg::Instant due = due_time(chapter_, rule_, wait_, row);
		if (due <= pg::present())
			return true;
		move(task_, due);
		return false;
	}

	void follow_the_leaving(const pg::RowChange &row)
	{
		const std::optional<pg::Instant> left = left_at(task_, wait_.anchored_on);
		if (!left)
			return;
		const pg::CountingFrom base(*left);
		move(task_, due_time(chapter_, rule_, wait_, row));
	}

	void follow_the_date(const pg::RowChange &row)
	{
		const pg::Instant due = due_time(chapter_, rule_, wait_, row);
		if (due != task_.due)
			move(task_, due);
	}

	bool differs(const pg::RowChange &row)
	{
		if (wait_.by_difference && values_seen(wait_, row) != task_.seen)
			return cancel(task_, "a value is not what it was"), true;
		if (!wait_.unless)
			return false;
		const pg::Expression &unless = chapter_.compile(rule_, wait_.unless);
		if (!as_owner(rule_, unless, StepKind::message, [&] { return unless.holds(row); }))
			return false;
		return cancel(task_, "its cancel_when holds"), true;
	}

	void begin(const pg::RowChange &row)
	{
		if (!rule_.is_standing || is_first(task_))
			run_when_due(chapter_, rule_, row);
		remove(task_);
		if (wait_.recurs && rule_.is_active)
			plan_run(chapter_, rule_, row);
	}

	void go_on(const pg::RowChange &row)
	{
		RunRecord run;
		run.id = task_.run;
		run.rule = task_.rule;
		run.version = task_.version;
		run.subject = task_.subject;
		run.key = task_.key;
		run.source_key = task_.source_key;
		const Cascade::Scope scope(rule_, task_.key, task_.run);
		finish(task_, take_step(chapter_, rule_, step(), row, run));
	}

	const Task &task_;
	Chapter &chapter_;
	Rule &rule_;
	const InHand in_hand_;
	Wait &wait_;
};

// Null: the rule, or what it said then, is gone.
Rule *rule_of(const Task &task, Chapter &chapter)
{
	Rule *rule = chapter.find(task.rule, task.version);
	const bool known = rule && static_cast<std::size_t>(task.step) <= rule->steps.size() &&
		(task.step == 0 ? rule->wait : rule->steps[static_cast<std::size_t>(task.step) - 1].wait);
	return known ? rule : nullptr;
}

// A run that could not begin.
void record_failure(const Task &task, const pg::Error &error)
{
	RunRecord run;
	run.id = next_run();
	run.rule = task.rule;
	run.version = task.version;
	run.subject = task.subject;
	run.key = task.key;
	run.event = "due";
	run.status = "failed";
	run.reason = error.message();
	run.sqlstate = error.sqlstate();
	write_run(run);
}

// Runs body on the rule that planned the task, each task by itself: one that fails leaves a record
// and stops none of the others. False: somebody else has locked what it needs.
template <typename Body> bool deal_with(const Task &task, Body &&body)
{
	bool dealt_with = true;
	const Cascade::Root root(true);
	const Rulebook book;
	const auto error = pg::subtransaction([&] {
		Chapter *chapter = task.source != 0 ? &book.chapter(task.source) : nullptr;
		Rule *rule = chapter ? rule_of(task, *chapter) : nullptr;
		if (!rule)
			return cancel(task, "rule dropped");
		dealt_with = body(Performance(task, *chapter, *rule));
	});
	if (!error)
		return dealt_with;
	if (Cascade::current().gives_way_to(*error))
		return false;
	if (task.step == 0)
		record_failure(task, *error);
	finish(task, {task.step, "", "failed", error->message(), error->sqlstate()});
	return true;
}

} // namespace

void settle(const Task &task)
{
	deal_with(task, [](Performance &&performance) { return performance.settle(), true; });
}

bool perform(const Task &task)
{
	return deal_with(task, [](Performance &&performance) { return performance.perform(); });
}

int tick(int most)
{
	const pg::ActAs identity = pg::ActAs::engine();
	const pg::BriefLockWaits brief;
	if (has_to_wait())
		return 0;
	int count = backfill();
	for (const Task &task : touched(most))
		if (lock(task))
			settle(task);
	for (const Task &task : coming_due(most))
		count += perform(task);
	return count;
}

} // namespace automation::engine
