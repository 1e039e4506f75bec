// Reads what one merge tag says.
#pragma once

#include "core/template.hpp"
#include "core/template_scan.hpp"
#include "core/template_token.hpp"

namespace automation::core {

// Throws Failure 42601, at the position in the template, when the tag says nothing sensible.
class TagReader {
public:
	// Fields that the tag mentions are added to `fields`.
	TagReader(std::string_view tag, Positions &positions, std::vector<Path> &fields)
		: tokens_(tag), positions_(positions), fields_(fields)
	{
	}

	std::string_view keyword();
	Output output();
	Condition condition();
	void end(); // nothing may follow

private:
	Operand operand();
	Operand field();
	Operand constant(Operand::Kind kind);
	void subscript(Path &path);
	std::vector<Filter> filters();
	Filter filter();
	Comparison comparison();
	std::string_view name();
	int position();
	[[noreturn]] void fail_here();

	TokenReader tokens_;
	Positions &positions_;
	std::vector<Path> &fields_;
};

} // namespace automation::core
