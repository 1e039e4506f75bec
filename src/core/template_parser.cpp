#include "core/failure.hpp"
#include "core/template.hpp"
#include "core/template_scan.hpp"
#include "core/template_tag.hpp"

#include <fmt/format.h>

#include <utility>

namespace automation::core {
namespace {

// An {% if %} whose {% endif %} has not come yet.
struct OpenChoice {
	enum class Part { branch, otherwise };

	Choice choice;
	const char *where;
	Part part = Part::branch;
};

class Parser {
public:
	explicit Parser(std::string_view text) : positions_(text) {}

	Template parse(const std::vector<Segment> &segments);

private:
	void block(std::string_view tag);
	void begin(const char *where, Condition condition);
	void next_branch(const char *where, Condition condition);
	void last_branch(const char *where);
	void end(const char *where);
	OpenChoice &open_branch(const char *where);
	std::vector<Node> &nodes();
	[[noreturn]] void fail(const char *where, const std::string &message, const char *hint = "");

	Positions positions_;
	Template result_;
	std::vector<OpenChoice> open_;
};

void Parser::fail(const char *where, const std::string &message, const char *hint)
{
	throw Failure("42601", message, {.hint = hint, .position = positions_.at(where)});
}

// Where the next node belongs.
std::vector<Node> &Parser::nodes()
{
	if (open_.empty())
		return result_.nodes;
	OpenChoice &open = open_.back();
	return open.part == OpenChoice::Part::branch ? open.choice.branches.back().body
												 : open.choice.otherwise;
}

void Parser::begin(const char *where, Condition condition)
{
	if (open_.size() == max_template_depth)
		throw Failure("54001", "template is nested too deeply",
			{.detail = fmt::format("Maximum depth is {}.", max_template_depth),
				.position = positions_.at(where)});
	open_.push_back({.choice = {}, .where = where});
	open_.back().choice.branches.push_back({std::move(condition), {}});
}

OpenChoice &Parser::open_branch(const char *where)
{
	if (open_.empty())
		fail(where, "template tag has no matching \"if\"");
	if (open_.back().part == OpenChoice::Part::otherwise)
		fail(where, "only \"endif\" can follow template tag \"else\"");
	return open_.back();
}

void Parser::next_branch(const char *where, Condition condition)
{
	open_branch(where).choice.branches.push_back({std::move(condition), {}});
}

void Parser::last_branch(const char *where)
{
	open_branch(where).part = OpenChoice::Part::otherwise;
}

void Parser::end(const char *where)
{
	if (open_.empty())
		fail(where, "template tag has no matching \"if\"");
	Choice choice = std::move(open_.back().choice);
	open_.pop_back();
	nodes().push_back({std::move(choice)});
}

void Parser::block(std::string_view tag)
{
	TagReader reader(tag, positions_, result_.fields);
	const std::string_view keyword = reader.keyword();
	const char *where = keyword.data();
	if (keyword == "if")
		return begin(where, reader.condition());
	if (keyword == "elsif")
		return next_branch(where, reader.condition());
	if (keyword == "else") {
		reader.end();
		return last_branch(where);
	}
	if (keyword == "endif") {
		reader.end();
		return end(where);
	}
	fail(where, fmt::format("template tag \"{}\" does not exist", keyword),
		"Available tags are if, elsif, else and endif.");
}

Template Parser::parse(const std::vector<Segment> &segments)
{
	for (const Segment &segment : segments) {
		if (segment.kind == Segment::Kind::text)
			nodes().push_back({std::string(segment.content)});
		else if (segment.kind == Segment::Kind::output)
			nodes().push_back({TagReader(segment.content, positions_, result_.fields).output()});
		else
			block(segment.content);
	}
	if (!open_.empty())
		fail(open_.back().where, "template tag \"if\" is not closed",
			"Close it with \"{% endif %}\".");
	return std::move(result_);
}

} // namespace

Template parse_template(std::string_view text)
{
	if (text.size() > max_template_size)
		throw Failure("54000", "template is too long", {.detail = "Maximum size is 64 kB."});
	return Parser(text).parse(scan(text));
}

std::string to_string(const Path &path)
{
	const auto is_plain = [](std::string_view name) {
		const TokenReader reader(name);
		return reader.peek().kind == Token::Kind::name && reader.peek().text == name;
	};
	std::string text;
	for (const std::string &name : path.names) {
		if (!is_plain(name))
			text += fmt::format("[\"{}\"]", name);
		else
			text += (text.empty() ? "" : ".") + name;
	}
	return text;
}

} // namespace automation::core
