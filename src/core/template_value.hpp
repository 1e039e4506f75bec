// A value on its way through a merge tag, as SQL with a type.
#pragma once

#include "core/template.hpp"

#include <map>
#include <string>
#include <vector>

namespace automation::core {

// What one call of to_sql() works with.
struct Compilation {
	Resolver &resolver;
	std::string time_zone; // as a SQL constant
	std::map<std::vector<std::string>, MergeField> fields = {};
};

struct Value {
	enum class Form { plain, html, url }; // what a filter has escaped it for

	std::string sql; // stands anywhere: a constant, a call, a cast, or in parentheses
	Category category;
	Form form = Form::plain;
};

Value value_of(const Operand &operand, Compilation &compilation);

// The same with the database's own collation: columns of different collations can meet in one text,
// and a column's nondeterministic one would forbid searching in it.
Value in_default_collation(Value value);

// An expression of type text that shows the value the same way in every session.
std::string as_text(const Value &value, const Compilation &compilation);

// Of a date, timestamp or timestamptz: the wall clock in the compilation's zone.
std::string as_timestamp(const Value &value, const std::string &time_zone);

std::string as_jsonb(const Value &value);

bool is_temporal(Category category);

// For messages.
std::string_view name_of(Category category);

} // namespace automation::core
