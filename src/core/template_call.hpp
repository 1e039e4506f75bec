// One use of a filter: its input, and its arguments with their checks.
#pragma once

#include "core/template_value.hpp"

#include <string>

namespace automation::core {

// One use of a filter, its number of arguments already checked.
struct Call {
	const Filter &filter;
	const Value &input;
	Compilation &compilation;

	std::size_t size() const { return filter.arguments.size(); }
	std::string text() const { return as_text(input, compilation); }

	// Throw Failure 22023 when argument `index`, from 0, is something else.
	const Operand &argument(std::size_t index, Operand::Kind kind) const;
	std::string constant(std::size_t index) const; // a quoted string as a SQL constant
	int integer(std::size_t index, int least, int most) const;

	// Throw Failure 42804: the filter cannot be applied to this input.
	void require(Category category) const;
	[[noreturn]] void reject() const;
};

} // namespace automation::core
