// Text with merge tags in it: a small Liquid, compiled to one SQL expression when a rule is
// defined.
//
//	Hi {{ customer.first_name | default: "there" }},{% if new.amount > 1000 %} thank you!{% endif %}
//
// There is no interpreter: what is kept and run is the SQL.  A merge field is `name`, `new.name`,
// `customer.first_name` or `customer["First Name"]`; template_filter.cpp lists the filters.  Tags
// are if, elsif, else and endif, nested at most 8 deep; `and` and `or` group from the right, as in
// Liquid. A dash inside the braces trims the white space next to the tag.  {{ "{{" }} prints two
// braces.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace automation::core {

inline constexpr std::size_t max_template_size = 65536; // bytes
inline constexpr std::size_t max_template_depth = 8;
inline constexpr std::size_t max_filters = 16;		// of one tag
inline constexpr std::size_t max_comparisons = 100; // of one condition

// A merge field as written, {"customer", "First Name"}.
struct Path {
	std::vector<std::string> names;
	int position = 0; // in the template, in characters from 1
};

// As the user wrote it: customer["First Name"].
std::string to_string(const Path &path);

struct Operand {
	enum class Kind { field, text, number, boolean, null };

	Kind kind = Kind::null;
	Path path = {};			  // of a field
	std::string literal = {}; // of a text, number or boolean
	int position = 0;
};

struct Filter {
	std::string name;
	std::vector<Operand> arguments;
	int position = 0;
};

struct Output {
	Operand value;
	std::vector<Filter> filters;
};

struct Comparison {
	enum class Kind { truth, equal, not_equal, less, at_most, greater, at_least, contains };

	Operand left;
	Kind kind = Kind::truth; // which has no right side
	Operand right = {};
};

struct Condition {
	enum class Connective { conjunction, disjunction };

	std::vector<Comparison> terms;
	std::vector<Connective> connectives; // one fewer than terms
};

struct Node;

struct Branch {
	Condition condition;
	std::vector<Node> body;
};

struct Choice {
	std::vector<Branch> branches;
	std::vector<Node> otherwise;
};

struct Node {
	std::variant<std::string, Output, Choice> content; // a string is the template's own text
};

struct Template {
	std::vector<Node> nodes;
	std::vector<Path> fields; // every field it mentions, in order, with repetitions
};

// Whether the text is more than constant text.
bool has_tags(std::string_view text);

// Throws Failure 42601 (with the position), 54000 or 54001.
Template parse_template(std::string_view text);

// What the compiler needs to know of a type.  `number` must be castable to numeric, `json` is json
// or jsonb; whatever is none of these is `other` and shown as its text form.
enum class Category { text, number, boolean, date, timestamp, timestamptz, json, other };

struct MergeField {
	std::string sql;
	Category category;
};

// What a template is compiled against: the names it may use.
class Resolver {
public:
	virtual ~Resolver() = default;

	// Both throw when there is no such thing; a path is asked for once per template.
	virtual MergeField resolve(const Path &path) = 0;
	virtual void check_time_zone(const std::string &name) = 0;
};

enum class Destination {
	text,
	html,	 // values are escaped, the template's own text is not
	line,	 // a subject or header: one line, whatever the values hold
	address, // NULL when a value is NULL
	url,	 // values are percent-encoded, the template's own text is not
	json,	 // a jsonb expression; a template that is one tag keeps the type of its value
};

// A SQL expression of type text (jsonb for json) which does not depend on the session's settings:
// instants are shown in time_zone.  Apart from json and address it is never NULL.
std::string to_sql(const Template &source, Resolver &resolver, Destination destination,
	const std::string &time_zone);

} // namespace automation::core
