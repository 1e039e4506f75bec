#include "engine/guard.hpp"

#include "engine/judgement.hpp"
#include "engine/run.hpp"
#include "pg/json.hpp"
#include "pg/process.hpp"
#include "pg/settings.hpp"
#include "pg/veto.hpp"

namespace automation::engine {

namespace {

// What the guard says of this change.
struct Words {
	std::string message, hint, overriding_role;
};

// Who asks again gets another answer, or has stopped asking.
bool is_passing(const pg::Error &error)
{
	const std::string state = error.sqlstate();
	return error.is_cancel() || state.starts_with("40") || state == pg::lock_not_available;
}

pg::Veto veto_of(const Rule &rule, const std::string &message)
{
	static pg::Statement names("SELECT r.name, n.nspname, c.relname "
							   "FROM automation.rule AS r "
							   "JOIN pg_catalog.pg_class AS c ON c.oid = r.event_relation "
							   "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
							   "WHERE r.id = $1");
	pg::Spi spi;
	const pg::Rows found = names.execute_fresh({pg::Value::int4(rule.id)});
	const auto name = [&](int column) {
		return found.size() > 0 ? found.text(0, column).value_or("") : std::string();
	};
	return {message, "", "", name(2), name(3), name(1)};
}

[[noreturn]] void fail_closed(const Rule &rule, pg::Error error)
{
	if (is_passing(error))
		throw std::move(error);
	pg::Veto veto = veto_of(rule, "guard cannot be judged: " + error.message());
	veto.detail = "Guard \"" + veto.guard + "\" lets no change pass that it cannot judge.";
	veto.hint = "Mend it, or let changes pass with automation.pause_rule().";
	pg::refuse(veto);
}

Words words_of(Chapter &chapter, Rule &rule, const pg::RowChange &change)
{
	Words words;
	std::optional<pg::Error> error = pg::subtransaction([&] {
		const pg::Expression &says = chapter.compile(rule, rule.steps.front().does);
		const std::optional<pg::Datum> said =
			as_owner(rule, says, StepKind::message, [&] { return says.value(change); });
		const auto text = [&](const char *name) {
			const auto texts =
				said ? pg::json_texts(*said, name) : std::vector<std::optional<std::string>>();
			return texts.empty() ? std::string() : texts.front().value_or("");
		};
		words = {text("message"), text("hint"), text("override")};
	});
	if (error)
		fail_closed(rule, std::move(*error));
	return words;
}

[[noreturn]] void refuse(const Rule &rule, const Words &words)
{
	pg::Veto veto = veto_of(rule, words.message);
	veto.detail = "Guard \"" + veto.guard + "\" refuses the change.";
	veto.hint = words.hint;
	if (words.hint.empty() && !words.overriding_role.empty())
		veto.hint = "A member of role \"" + words.overriding_role +
			"\" can override it: SET pg_automation.override = 'reason'.";
	pg::refuse(veto);
}

} // namespace

bool stand_guard(Chapter &chapter, Rule &rule, const pg::RowChange &change, const char *event)
{
	Judgement judgement = judge_event(chapter, rule, change);
	if (judgement.error)
		fail_closed(rule, std::move(*judgement.error));
	if (!judgement.applies)
		return false;
	const Words words = words_of(chapter, rule, change);
	const std::string reason = pg::settings::override_reason;
	if (reason.empty() || words.overriding_role.empty() ||
		!pg::session_is_member_of(words.overriding_role))
		refuse(rule, words);
	write_suppressed(chapter, rule, change, event, "overridden: " + reason);
	return true;
}

} // namespace automation::engine
