#include "engine/trial.hpp"

#include "core/failure.hpp"
#include "core/json.hpp"
#include "engine/journal.hpp"
#include "engine/ledger.hpp"
#include "engine/passage.hpp"
#include "pg/caller.hpp"
#include "pg/clock.hpp"
#include "pg/identity.hpp"
#include "pg/invocation.hpp"
#include "pg/veto.hpp"

namespace automation::engine {

using pg::Value;

namespace {

// Runs body in a subtransaction that is always rolled back; answers the error that cut it short.
// What body writes has higher numbers than the one it is given.
template <typename Body> std::optional<pg::Error> undone(Body &&body)
{
	const pg::ClockKept clock;
	const Journal::Kept journal;
	bool reached_its_end = false;
	std::optional<pg::Error> error = pg::subtransaction([&] {
		body(next_run());
		reached_its_end = true;
		pg::fail("XX000", "undone");
	});
	if (reached_its_end)
		error.reset();
	return error;
}

std::string commands_argument(FunctionCallInfoBaseData *call)
{
	if (pg::is_null_argument(call, 0))
		throw core::Failure("22004", "commands must not be null");
	return pg::text_argument(call, 0);
}

pg::Datum interval_argument(FunctionCallInfoBaseData *call, int number)
{
	if (pg::is_null_argument(call, number))
		throw core::Failure("22004", "advance must not be null");
	const pg::Datum interval = pg::datum_argument(call, number);
	if (pg::later(0, interval) < 0)
		throw core::Failure("22023", "advance must not be negative");
	return interval;
}

// With the rights the caller has now: he cannot even take on another role of his. What is deferred
// shows at the end.
std::string execute(const std::string &commands)
{
	const pg::RightsOf caller(pg::current_role(), pg::RightsOf::Manner::definer);
	std::string outcome = pg::execute_for_caller(commands);
	pg::defer_no_constraint();
	return outcome;
}

using Line = std::vector<std::optional<std::string>>;

std::vector<Line> lines_of(const pg::Rows &rows, int columns)
{
	std::vector<Line> lines(rows.size());
	for (std::uint64_t row = 0; row < rows.size(); ++row)
		for (int column = 1; column <= columns; ++column)
			lines[row].push_back(rows.text(row, column));
	return lines;
}

pg::Datum answer(FunctionCallInfoBaseData *call, const std::vector<Line> &lines)
{
	pg::ResultSet rows(call);
	for (const Line &line : lines)
		rows.add(line);
	return 0;
}

std::vector<Line> tree(pg::Oid caller, std::int64_t since, const std::string &outcome)
{
	static pg::Statement statement("SELECT tree, part, rule, relation, key, status, reason, detail "
								   "FROM automation._whatif_tree($1::oid::regrole, $2, $3)");
	const pg::ActAs identity = pg::ActAs::engine();
	pg::Spi spi;
	return lines_of(
		statement.execute({Value::oid(caller), Value::int8(since), Value::text(outcome)}), 8);
}

// What a guard has said, as JSON; null: the error comes from none.
std::string refusal(const pg::Error &error)
{
	const std::string guard = pg::guard_of(error);
	if (guard.empty())
		return "null";
	return "{\"guard\":" + core::json_string(guard) +
		",\"message\":" + core::json_string(error.message()) +
		",\"hint\":" + core::json_string(error.hint()) +
		",\"sqlstate\":" + core::json_string(error.sqlstate()) + "}";
}

std::vector<Line> refused(const pg::Error &error)
{
	static pg::Statement statement("SELECT tree, part, rule, relation, key, status, reason, detail "
								   "FROM automation._refused_tree($1)");
	const pg::ActAs identity = pg::ActAs::engine();
	pg::Spi spi;
	return lines_of(statement.execute({Value::parse(Value::Type::jsonb, refusal(error))}), 8);
}

std::string request(FunctionCallInfoBaseData *call)
{
	const auto text = [&](int number) {
		const std::optional<std::string> given = pg::text_argument_or_null(call, number);
		return given ? core::json_string(*given) : "null";
	};
	return "{\"rule\":" + text(0) +
		",\"sample\":" + pg::json_argument_or_null(call, 1).value_or("null") +
		",\"key\":" + text(2) + "}";
}

// A call of test_rule(): its arguments as JSON, to which SQL adds what follows from them.
class Test {
public:
	explicit Test(std::string request) : request_(std::move(request)) {}

	void plan(pg::Oid caller)
	{
		static pg::Statement statement("SELECT request, request ->> 'commands' FROM "
									   "automation._test_plan($1::oid::regrole, $2) AS request");
		const pg::ActAs identity = pg::ActAs::engine();
		pg::Spi spi;
		const pg::Rows planned = statement.execute_without_context(
			{Value::oid(caller), Value::parse(Value::Type::jsonb, request_)});
		request_ = planned.text(0, 1).value();
		commands_ = planned.text(0, 2);
	}

	void perform(std::int64_t since, pg::Datum interval)
	{
		static pg::Statement begin("SELECT automation._test_begin($1)");
		static pg::Statement fire("SELECT automation._test_fire($1, $2)");
		static pg::Statement report("SELECT automation._test_report($1, $2)");
		ask(begin, {request()});
		if (commands_)
			execute(*commands_);
		ask(fire, {request(), Value::int8(since)});
		advance_own(since, interval);
		report_ = ask(report, {request(), Value::int8(since)});
	}

	std::vector<Line> keep(const std::optional<pg::Error> &error) const
	{
		static pg::Statement statement(
			"SELECT id, version, fired, status, icon, reason, steps, changes, tree "
			"FROM automation._test_keep($1, $2::jsonb, $3, $4, nullif($5, 'null'))");
		const pg::ActAs identity = pg::ActAs::engine();
		pg::Spi spi;
		return lines_of(
			statement.execute({request(), Value::text_or_null(report_),
				Value::text_or_null(error ? std::optional(error->message()) : std::nullopt),
				Value::text_or_null(error ? std::optional(error->sqlstate()) : std::nullopt),
				Value::parse(Value::Type::jsonb, error ? refusal(*error) : "null")}),
			9);
	}

private:
	Value request() const { return Value::parse(Value::Type::jsonb, request_); }

	static std::optional<std::string> ask(
		pg::Statement &statement, std::initializer_list<Value> values)
	{
		const pg::ActAs identity = pg::ActAs::engine();
		pg::Spi spi;
		return statement.execute(values).text(0, 1);
	}

	std::string request_;
	std::optional<std::string> commands_ = {}; // that write the row
	std::optional<std::string> report_ = {};
};

} // namespace

pg::Datum whatif(FunctionCallInfoBaseData *call)
{
	const std::string commands = commands_argument(call);
	const pg::Oid caller = pg::current_role();
	const pg::Datum advance = interval_argument(call, 1);
	std::vector<Line> lines;
	std::optional<pg::Error> error = undone([&](std::int64_t since) {
		const std::string outcome = execute(commands);
		advance_own(since, advance);
		lines = tree(caller, since, outcome);
	});
	if (error && pg::guard_of(*error).empty())
		throw std::move(*error);
	return answer(call, error ? refused(*error) : lines);
}

// Nothing is undone but the journal, unless that is kept anyway.
pg::Datum watch(FunctionCallInfoBaseData *call)
{
	static pg::Statement forget("SELECT automation._forget_events($1)");
	const std::string commands = commands_argument(call);
	const pg::Oid caller = pg::current_role();
	const std::int64_t since = next_run();
	std::vector<Line> lines;
	{
		const Journal::Kept journal;
		const pg::RightsOf rights(caller, pg::RightsOf::Manner::definer);
		const std::string outcome = pg::execute_for_caller(commands);
		lines = tree(caller, since, outcome);
	}
	if (!Journal::is_kept()) {
		pg::Spi spi;
		forget.execute({Value::int8(since)});
	}
	return answer(call, lines);
}

pg::Datum test_rule(FunctionCallInfoBaseData *call)
{
	const pg::Datum advance = interval_argument(call, 3);
	Test test(request(call));
	test.plan(pg::current_role());
	const std::optional<pg::Error> error =
		undone([&](std::int64_t since) { test.perform(since, advance); });
	return answer(call, test.keep(error));
}

} // namespace automation::engine
