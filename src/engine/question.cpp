#include "engine/question.hpp"

#include "pg/condition.hpp"
#include "pg/identity.hpp"
#include "pg/row.hpp"

namespace automation::engine {

std::optional<bool> holds(const Question &question)
{
	const pg::RowType type(question.relation);
	const pg::ActAs identity(question.owner, pg::ActAs::Manner::restricted, question.search_path);
	const auto row = [&](const std::optional<std::string> &json) {
		return json ? pg::Value::datum(pg::row_from_json(identity, type.type(), *json), type.type())
					: pg::Value::null(type.type());
	};
	const pg::Value old_row = row(question.old_row), new_row = row(question.new_row);
	const pg::OrdinarySettings settings(pg::OrdinarySettings::Need::all);
	pg::Spi spi;
	const pg::Rows answer = spi.execute(identity, question.query.c_str(), {old_row, new_row});
	if (answer.size() == 0 || answer.is_null(0, 1))
		return std::nullopt;
	return answer.boolean(0, 1);
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

std::string with_images(
	const std::string &query, const std::string &old_row, const std::string &new_row)
{
	std::string text;
	std::size_t copied = 0;
	for (const pg::Token &token : pg::tokens_of(query)) {
		if (token.text != "$1" && token.text != "$2")
			continue;
		text.append(query, copied, static_cast<std::size_t>(token.begin) - copied);
		text += token.text == "$1" ? old_row : new_row;
		copied = static_cast<std::size_t>(token.end);
	}
	return text.append(query, copied);
}

} // namespace automation::engine
