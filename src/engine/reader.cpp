#include "engine/reader.hpp"

#include "pg/numbers.hpp"

namespace automation::engine {

namespace {

// A row of automation._rule_parts(): the rule itself is step 0.
class Line {
public:
	Line(const pg::Rows &rows, std::uint64_t number) : rows_(rows), number_(number) {}

	bool is(int column) const { return rows_.boolean(number_, column); }
	bool has(int column) const { return !rows_.is_null(number_, column); }
	int number(int column) const { return static_cast<int>(rows_.integer(number_, column)); }
	pg::Oid oid(int column) const { return static_cast<pg::Oid>(rows_.integer(number_, column)); }
	std::string text(int column) const { return rows_.text(number_, column).value_or(""); }
	std::vector<int> numbers(int column) const
	{
		const std::vector<std::int64_t> numbers = pg::numbers_at(rows_, number_, column);
		return {numbers.begin(), numbers.end()};
	}

private:
	const pg::Rows &rows_;
	std::uint64_t number_;
};

StepKind kind_of(const std::string &name)
{
	if (name == "message")
		return StepKind::message;
	return name == "statement" ? StepKind::statement : StepKind::engine;
}

State state_of(const std::string &name)
{
	if (name == "active")
		return State::active;
	return name == "paused" ? State::paused : State::disabled;
}

OnBulk on_bulk_of(const std::string &name)
{
	if (name == "hold")
		return OnBulk::hold;
	if (name == "log_only")
		return OnBulk::log_only;
	return name == "skip" ? OnBulk::skip : OnBulk::run;
}

Wait::Anchor anchor_of(const std::string &name)
{
	if (name == "previous")
		return Wait::Anchor::previous;
	if (name == "entered")
		return Wait::Anchor::entered;
	if (name == "left")
		return Wait::Anchor::leaving;
	return name == "trigger" ? Wait::Anchor::trigger : Wait::Anchor::field;
}

std::optional<Wait> wait_of(const Line &line)
{
	if (!line.has(9))
		return std::nullopt;
	return Wait{.anchor = anchor_of(line.text(9)),
		.after_previous = line.is(10),
		.by_difference = line.is(11),
		.recurs = line.is(12),
		.has_no_row = line.is(13),
		.anchored_on = line.number(14),
		.cancelled_by = line.numbers(15),
		.due = {line.oid(16)},
		.unless = {line.oid(17)},
		.until = {line.oid(29)}};
}

Step step_of(const Line &line)
{
	return {.number = line.number(1),
		.kind = kind_of(line.text(3)),
		.action = line.text(2),
		.does = {line.oid(7)},
		.only_if = {line.oid(8)},
		.server = line.oid(4),
		.channel = line.text(5),
		.channel_kind = line.text(6),
		.wait = wait_of(line)};
}

std::unique_ptr<Rule> rule_of(const Line &line)
{
	const std::string events = line.text(18);
	const auto meets = [&](const char *event) { return events.find(event) != events.npos; };
	auto rule = std::make_unique<Rule>();
	rule->on_insert = meets("insert");
	rule->on_update = meets("update");
	rule->on_remove = meets("delete");
	rule->when = {line.oid(7)};
	rule->still = {line.oid(8)};
	rule->key = {line.oid(19)};
	rule->owner = line.oid(20);
	rule->search_path = line.text(21);
	rule->subject = line.number(22);
	rule->fails_the_write = line.is(23);
	rule->is_standing = line.is(24);
	rule->is_active = line.is(25);
	rule->state = state_of(line.text(26));
	rule->finishes = line.is(27);
	rule->on_bulk = on_bulk_of(line.text(28));
	rule->in_test = line.is(30);
	rule->wait = wait_of(line);
	return rule;
}

} // namespace

std::unique_ptr<Rule> read_rule(int id, int version)
{
	static pg::Statement parts(
		"SELECT step, action, kind, server, channel, channel_kind, function, if_function, "
		"anchor, after_previous, by_difference, recurs, has_no_row, anchored_on, cancelled_by, "
		"due_function, unless_function, events::text, key_function, owner, search_path, subject, "
		"fails, is_standing, is_active, state, finishes, on_bulk, until_function, in_test FROM "
		"automation._rule_parts($1, $2)",
		pg::Statement::Plan::once);
	pg::Spi spi;
	const pg::Rows found = parts.execute_fresh({pg::Value::int4(id), pg::Value::int4(version)});
	if (found.size() == 0)
		return nullptr;
	std::unique_ptr<Rule> rule = rule_of(Line(found, 0));
	rule->id = id;
	rule->version = version;
	for (std::uint64_t i = 1; i < found.size(); ++i)
		rule->steps.push_back(step_of(Line(found, i)));
	rule->is_guard = !rule->steps.empty() && rule->steps.front().action == "refuse";
	rule->fails_the_write |= rule->is_guard;
	return rule;
}

} // namespace automation::engine
