#include "engine/question.hpp"

#include "engine/cascade.hpp"
#include "pg/identity.hpp"
#include "pg/row.hpp"
#include "pg/stored_query.hpp"

namespace automation::engine {

std::optional<bool> holds(const Question &question)
{
	const pg::RowType type(question.relation);
	const pg::ActAs identity(question.owner, pg::ActAs::Manner::restricted, question.search_path);
	const auto row = [&](const std::optional<std::string> &json) {
		return json ? std::optional(pg::row_from_json(identity, type.type(), *json)) : std::nullopt;
	};
	const std::optional<pg::Datum> old_row = row(question.old_row), new_row = row(question.new_row);
	const pg::OrdinarySettings settings(pg::OrdinarySettings::Need::all);
	pg::StoredQuery conjunct({question.function, type.type(), question.conjunct});
	const std::optional<pg::Datum> verdict = conjunct.value(old_row, new_row);
	return verdict ? std::optional(*verdict != 0) : std::nullopt;
}

std::int64_t count_matches(
	pg::Oid owner, const std::string &search_path, pg::Oid function, pg::Oid relation)
{
	const pg::RowType type(relation);
	const pg::ActAs identity(owner, pg::ActAs::Manner::restricted, search_path);
	const pg::OrdinarySettings settings(pg::OrdinarySettings::Need::all);
	pg::StoredQuery count({function, type.type(), pg::Asked::number_of_rows});
	return static_cast<std::int64_t>(count.value(std::nullopt, std::nullopt).value_or(0));
}

std::optional<std::string> ask(pg::Oid role, const std::string &query, const std::string &argument)
{
	const pg::ActAs identity(role, pg::ActAs::Manner::restricted, pg::system_path);
	const pg::OrdinarySettings settings(pg::OrdinarySettings::Need::all);
	pg::Spi spi;
	const pg::Rows answer =
		spi.execute(identity, query.c_str(), {pg::Value::parse(pg::Value::Type::jsonb, argument)});
	return answer.size() == 0 ? std::nullopt : answer.text(0, 1);
}

std::optional<std::string> act(pg::Oid role, const std::string &search_path,
	const std::string &command, const std::string &argument)
{
	const auto manner = pg::has_rights_of_session(role) ? pg::ActAs::Manner::definer
														: pg::ActAs::Manner::restricted;
	const pg::ActAs identity(role, manner, search_path);
	const pg::OrdinarySettings settings(pg::OrdinarySettings::Need::all);
	pg::Spi spi;
	const pg::Rows answer = spi.execute(
		identity, command.c_str(), {pg::Value::parse(pg::Value::Type::jsonb, argument)});
	return answer.size() == 0 ? std::nullopt : answer.text(0, 1);
}

std::optional<std::string> act_for(const PastRun &run, pg::Oid role, const std::string &search_path,
	const std::string &command, const std::string &argument)
{
	const Cascade::Root root;
	const Cascade::Scope scope(run.rule, run.key, run.id);
	return act(role, search_path, command, argument);
}

} // namespace automation::engine
