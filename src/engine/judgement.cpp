#include "engine/judgement.hpp"

#include "engine/cascade.hpp"
#include "pg/definitions.hpp"

namespace automation::engine {

namespace {

constexpr const char *cannot_run = "the rule cannot run: ";
constexpr int most_recorded = 100; // failures to compile a rule, of one transaction

// What keeps a rule from being compiled is tried again in the next transaction and after a change,
// not for every row.
bool is_known_to_fail(const Rule &rule)
{
	return rule.breakage.transaction == pg::TriggerCall::transaction() &&
		rule.breakage.changes == pg::changes_seen();
}

void note_breakage(Rule &rule, const pg::Error &error)
{
	const unsigned int transaction = pg::TriggerCall::transaction();
	if (rule.breakage.transaction != transaction)
		rule.breakage.recorded = 0;
	rule.breakage = {
		transaction, pg::changes_seen(), error.sqlstate(), error.message(), rule.breakage.recorded};
}

// Nobody knows whether a rule that cannot be compiled would have applied: that it could not be
// asked is recorded, so many times.
Judgement cannot_tell(Rule &rule)
{
	Breakage &breakage = rule.breakage;
	if (++breakage.recorded > most_recorded && !rule.fails_the_write)
		return {};
	std::string reason = breakage.message;
	if (breakage.recorded == most_recorded)
		reason += " (not recorded again in this transaction)";
	return {false, pg::subtransaction([&] { pg::fail(breakage.sqlstate.c_str(), reason); }),
		cannot_run};
}

// Every change names what changed but a plain `updated`, and no-op updates fire nothing.
bool is_no_change(const Rule &rule, const pg::RowChange &change)
{
	return change.event() == pg::Event::update && rule.watched().empty() &&
		!change.changed_anything();
}

} // namespace

Judgement judge(Chapter &chapter, Rule &rule, Part &part, const pg::RowChange &change)
{
	if (is_known_to_fail(rule))
		return cannot_tell(rule);
	Judgement judgement;
	if (part.is_compiled() && part.compiled->is_harmless()) {
		judgement.applies = part.compiled->holds(change);
		return judgement;
	}
	judgement.error = pg::subtransaction([&] {
		const pg::Expression &condition = chapter.compile(rule, part);
		judgement.applies =
			as_owner(rule, condition, StepKind::message, [&] { return condition.holds(change); });
	});
	if (!judgement.error || part.is_compiled() || rule.fails_the_write ||
		Cascade::current().gives_way_to(*judgement.error))
		return judgement;
	note_breakage(rule, *judgement.error);
	return cannot_tell(rule);
}

Judgement judge_event(Chapter &chapter, Rule &rule, const pg::RowChange &change)
{
	if (is_no_change(rule, change))
		return {};
	return judge(chapter, rule, rule.when, change);
}

} // namespace automation::engine
