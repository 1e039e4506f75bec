#include "engine/steps.hpp"

#include "core/delivery.hpp"
#include "core/failure.hpp"
#include "engine/cascade.hpp"
#include "engine/choices.hpp"
#include "engine/message.hpp"
#include "engine/present_row.hpp"
#include "engine/rulebook.hpp"
#include "engine/run.hpp"
#include "engine/schedule.hpp"
#include "pg/identity.hpp"
#include "pg/json.hpp"
#include "pg/veto.hpp"

namespace automation::engine {

namespace {

class StepTaker {
public:
	StepTaker(const Chapter &chapter, Rule &rule, const pg::RowChange &change, const RunRecord &run,
		Care care, std::int64_t logged_run = 0)
		: chapter_(chapter), rule_(rule), run_(run), care_(care), choices_(logged_run),
		  row_(change, run.key, rule.subject, rule.subject == chapter.entity)
	{
	}

	StepRecord take_or_plan(Step &step)
	{
		std::optional<StepRecord> planned;
		if (step.wait)
			if (auto error = try_to(step, [&] {
					if (!is_over(chapter_, rule_, step, row()))
						planned = plan_step(chapter_, rule_, step, row(), run_);
				}))
				return failed(step, std::move(*error));
		return planned ? *planned : take(step);
	}

	StepRecord plan_after_previous(const Step &step)
	{
		return engine::plan_after_previous(rule_, step, row(), run_);
	}

	// All that it does is undone when any of it fails.
	StepRecord take(Step &step)
	{
		StepRecord record{step.number, step.action, "succeeded"};
		if (auto error = try_to(step, [&] {
				if (condition_holds(step))
					finish(step, result_of(step), record);
				else
					decline(record, "condition of the step does not hold");
			}))
			return failed(step, std::move(*error));
		return record;
	}

private:
	template <typename Body> std::optional<pg::Error> try_to(const Step &step, Body &&body)
	{
		const auto attempt = [&] {
			row_.look(step.kind == StepKind::statement);
			body();
		};
		if (care_ == Care::each_step)
			return pg::subtransaction(attempt);
		attempt();
		return std::nullopt;
	}

	StepRecord failed(const Step &step, pg::Error error) const
	{
		if (rule_.fails_the_write || Cascade::current().gives_way_to(error))
			throw std::move(error);
		return {step.number, step.action, "failed", pg::reason_of(error), error.sqlstate()};
	}

	static void decline(StepRecord &record, const std::string &reason)
	{
		record.status = "not_run";
		record.reason = reason;
	}

	bool condition_holds(Step &step) const
	{
		if (!step.only_if)
			return true;
		const pg::Expression &only_if = chapter_.compile(rule_, step.only_if);
		return as_owner(rule_, only_if, StepKind::message, [&] { return only_if.holds(row()); });
	}

	const pg::RowChange &row() const { return row_.image(); }

	std::optional<pg::Datum> result_of(Step &step) const
	{
		const pg::Expression &does = chapter_.compile(rule_, step.does);
		return as_owner(rule_, does, step.kind, [&] { return does.value(row()); });
	}

	void finish(const Step &step, std::optional<pg::Datum> result, StepRecord &record)
	{
		if (step.kind == StepKind::message)
			send(rule_, step, run_, result, record);
		else if (step.kind == StepKind::engine)
			act(step, result, record);
		else if (result)
			record.result = pg::json_text(*result);
		else
			record.reason = "no row to change";
	}

	// What the engine itself does.
	void act(const Step &step, std::optional<pg::Datum> parameters, StepRecord &record)
	{
		const auto parameter = [&](const char *name) {
			const auto texts = parameters ? pg::json_texts(*parameters, name)
										  : std::vector<std::optional<std::string>>();
			return texts.empty() ? std::string() : texts.front().value_or("");
		};
		if (step.action == "notify")
			notify(recipients_of(rule_, step, parameters, record), parameter("body"), record);
		else if (step.action == "generate_document")
			record.result = "{\"document\":" +
				std::to_string(write_document(run_,
					{rule_.owner, step.number, parameter("name"), parameter("type"),
						parameter("text")})) +
				"}";
		else if (step.action == "start_rule")
			start(std::stoi(parameter("rule")), record);
		else if (step.action == "stop_rule")
			write_touch({rule_.subject, run_.key, {}, std::stoi(parameter("rule")), run_.id,
				"stopped by rule #" + std::to_string(rule_.id)});
		else if (step.action == "record_consent")
			record_consent(parameters);
		else if (parameters) {
			choices_.note(parameter("decision"), parameter("arm"));
			record.result = pg::json_text(*parameters);
		}
	}

	void notify(const std::vector<std::string> &recipients, const std::string &body,
		StepRecord &record) const
	{
		if (rule_.in_test)
			record.reason = core::test_mode;
		else
			for (const std::string &recipient : recipients)
				write_notification(run_.id, record.number, recipient, body);
	}

	// The other rule runs at once, for the same row, as part of the same cascade.
	void start(int id, StepRecord &record) const
	{
		const Rulebook book;
		Chapter *chapter = nullptr;
		Rule *rule = book.rule(id, &chapter);
		if (!rule || chapter->entity != chapter_.entity)
			return decline(record, "rule #" + std::to_string(id) + " is not active on this table");
		if (const std::int64_t started = run_if_it_applies(*chapter, *rule, row(), "started"))
			record.result = "{\"run\":" + std::to_string(started) + "}";
		else
			decline(record, "condition of rule #" + std::to_string(id) + " does not hold");
	}

	const Chapter &chapter_;
	Rule &rule_;
	const RunRecord &run_;
	Care care_;
	Choices choices_;
	PresentRow row_;
};

bool is_finished(const StepRecord &record)
{
	return record.status != "waiting" && (record.status != "delivering" || pg::clock_is_set());
}

bool has_failed(const StepRecord &record)
{
	return record.status == "failed" || record.reason == after_failure;
}

} // namespace

std::vector<StepRecord> take_steps(const Chapter &chapter, Rule &rule, const pg::RowChange &change,
	const RunRecord &run, Care care)
{
	StepTaker taker(chapter, rule, change, run, care);
	std::vector<StepRecord> records;
	for (Step &step : rule.steps) {
		const bool waits = step.wait && step.wait->after_previous && !records.empty();
		if (waits && !is_finished(records.back()))
			records.push_back(taker.plan_after_previous(step));
		else if (waits && has_failed(records.back()))
			records.push_back({step.number, step.action, "not_run", after_failure});
		else
			records.push_back(taker.take_or_plan(step));
	}
	return records;
}

StepRecord take_step(const Chapter &chapter, Rule &rule, Step &step, const pg::RowChange &change,
	const RunRecord &run)
{
	return StepTaker(chapter, rule, change, run, Care::each_step, run.id).take(step);
}

} // namespace automation::engine
