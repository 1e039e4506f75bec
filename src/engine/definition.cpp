#include "engine/definition.hpp"

#include "core/failure.hpp"
#include "core/template.hpp"
#include "pg/condition.hpp"
#include "pg/identity.hpp"

#include <algorithm>

namespace automation::engine {

using core::Failure;
using pg::Value;

namespace {

constexpr char separator = '\x1f'; // no name has one
constexpr const char *time_zone = "UTC";

std::string joined(const std::vector<std::string> &names)
{
	std::string text;
	for (const std::string &name : names)
		text += (text.empty() ? "" : std::string(1, separator)) + name;
	return text;
}

// kind: what errors call it, "column" or "merge field".
core::MergeField resolve_path(
	const pg::Scope &scope, const std::vector<std::string> &names, const char *kind)
{
	pg::Spi spi;
	const pg::Rows found = spi.execute(pg::ActAs::engine(),
		"SELECT sql, type::oid FROM automation._path($1, string_to_array($2, E'\\x1f'), $3)",
		{Value::datum(scope.value, scope.type), Value::text(joined(names)), Value::text(kind)});
	const auto type = static_cast<pg::Oid>(found.integer(0, 2));
	return {found.text(0, 1).value_or("NULL"), pg::category_of(type)};
}

class PathResolver : public core::Resolver {
public:
	explicit PathResolver(const pg::Scope &scope) : scope_(scope) {}
	core::MergeField resolve(const core::Path &path) override
	{
		return resolve_path(scope_, path.names, "merge field");
	}
	void check_time_zone(const std::string &name) override
	{
		if (!pg::is_time_zone(name))
			throw Failure("22023", "time zone \"" + name + "\" not recognized",
				{.hint = "Use a name from pg_timezone_names."});
	}

private:
	const pg::Scope &scope_;
};

core::Destination destination_of(const std::string &name)
{
	constexpr std::pair<const char *, core::Destination> destinations[] = {
		{"text", core::Destination::text}, {"html", core::Destination::html},
		{"line", core::Destination::line}, {"address", core::Destination::address},
		{"url", core::Destination::url}, {"json", core::Destination::json}};
	for (const auto &[known, destination] : destinations)
		if (name == known)
			return destination;
	throw Failure("22023", "unrecognized template destination: \"" + name + "\"");
}

bool is_name(const std::string &token)
{
	const char first = token.front();
	return first == '"' || first == '_' || (first >= 'a' && first <= 'z') ||
		(first >= 'A' && first <= 'Z') || static_cast<unsigned char>(first) >= 0x80;
}

// As PostgreSQL reads it: quoted names to the letter, others in lower case.
std::string name_of(const std::string &token)
{
	if (token.front() != '"') {
		std::string name = token;
		std::ranges::transform(name, name.begin(),
			[](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
		return name;
	}
	std::string name;
	for (std::size_t i = 1; i + 1 < token.size(); ++i) {
		name += token[i];
		if (token[i] == '"')
			++i;
	}
	return name;
}

// Two dotted names or more, from `first` on: how many tokens they take; 0 when there is no such
// path.
std::size_t path_length(const std::vector<pg::Token> &tokens, std::size_t first)
{
	std::size_t length = 1;
	while (first + length + 1 < tokens.size() && tokens[first + length].text == "." &&
		is_name(tokens[first + length + 1].text))
		length += 2;
	return length >= 3 ? length : 0;
}

// crm.kind in 'x'::crm.kind, crm.f(...) and COLLATE names are PostgreSQL's, not paths to a row.
bool is_qualified_object(
	const std::vector<pg::Token> &tokens, std::size_t first, std::size_t length)
{
	if (first + length < tokens.size() && tokens[first + length].text == "(")
		return true;
	if (first == 0)
		return false;
	const std::string before = name_of(tokens[first - 1].text);
	return before == "::" || before == "collate" || before == "as" || before == "." ||
		(before == "(" && first >= 2 && name_of(tokens[first - 2].text) == "operator");
}

// The names of the linked column at this token, or none.
std::vector<std::string> linked_path(
	const std::vector<pg::Token> &tokens, std::size_t first, std::size_t length)
{
	std::vector<std::string> names;
	for (std::size_t i = first; i < first + length; i += 2)
		names.push_back(name_of(tokens[i].text));
	if (names.front() == "new" || names.front() == "old" ||
		is_qualified_object(tokens, first, length))
		names.clear();
	return names;
}

// A user's function runs inside other people's writes: the table's owner has to approve it.
void check_approval(const pg::Scope &scope, const std::vector<pg::Oid> &functions)
{
	pg::Spi spi;
	for (const pg::Oid function : functions) {
		const pg::Rows found = spi.execute(pg::ActAs::engine(),
			"SELECT automation._is_approved($1::regclass, $2), $1::regclass::text",
			{Value::oid(scope.row_relation), Value::oid(function)});
		if (!found.boolean(0, 1))
			throw Failure("42501",
				"function " + pg::function_signature(function) +
					" is not approved for rules on table \"" + found.text(0, 2).value_or("") + "\"",
				{.hint = "The table owner can run automation.approve_function()."});
	}
}

void check(const pg::Scope &scope, const std::string &expression,
	const std::vector<std::string> &events, pg::Verdict verdict)
{
	const auto meets = [&](const char *event) { return std::ranges::count(events, event) > 0; };
	pg::check_syntax(expression);
	const std::string rewritten = rewrite_links(scope, expression);
	const pg::ConditionSite site{scope.row_relation, scope.owner,
		meets("update") || meets("delete"), meets("update") || meets("insert"), verdict};
	const std::vector<pg::Oid> functions = [&] {
		// A literal of a user's type runs that type's input code.
		const pg::ActAs identity(scope.owner, pg::ActAs::Manner::restricted, pg::system_path);
		return pg::check_meaning(rewritten, site);
	}();
	check_approval(scope, functions);
}

} // namespace

std::string template_sql(
	const pg::Scope &scope, const std::string &text, const std::string &destination)
{
	PathResolver resolver(scope);
	return core::to_sql(
		core::parse_template(text), resolver, destination_of(destination), time_zone);
}

std::string rewrite_links(const pg::Scope &scope, const std::string &expression)
{
	const std::vector<pg::Token> tokens = pg::tokens_of(expression);
	std::string rewritten;
	std::size_t copied = 0;
	for (std::size_t i = 0; i < tokens.size(); ++i) {
		const std::size_t length = is_name(tokens[i].text) ? path_length(tokens, i) : 0;
		if (length == 0)
			continue;
		const std::vector<std::string> names = linked_path(tokens, i, length);
		if (!names.empty()) {
			const auto begin = static_cast<std::size_t>(tokens[i].begin);
			rewritten += expression.substr(copied, begin - copied) +
				resolve_path(scope, names, "column").sql;
			copied = static_cast<std::size_t>(tokens[i + length - 1].end);
		}
		i += length - 1;
	}
	return rewritten + expression.substr(copied);
}

void check_condition(
	const pg::Scope &scope, const std::string &expression, const std::vector<std::string> &events)
{
	check(scope, expression, events, pg::Verdict::boolean);
}

void check_expression(
	const pg::Scope &scope, const std::string &expression, const std::vector<std::string> &events)
{
	check(scope, expression, events, pg::Verdict::any);
}

} // namespace automation::engine
