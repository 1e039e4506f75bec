#include "core/template_call.hpp"

#include "core/failure.hpp"
#include "core/sql_literal.hpp"

#include <fmt/format.h>

#include <charconv>

namespace automation::core {

void Call::reject() const
{
	throw Failure("42804",
		fmt::format("filter \"{}\" cannot be applied to {}", filter.name, name_of(input.category)),
		{.position = filter.position});
}

void Call::require(Category category) const
{
	if (input.category != category)
		reject();
}

const Operand &Call::argument(std::size_t index, Operand::Kind kind) const
{
	const Operand &operand = filter.arguments[index];
	if (operand.kind != kind)
		throw Failure("22023",
			fmt::format("argument {} of filter \"{}\" must be a {}", index + 1, filter.name,
				kind == Operand::Kind::number ? "number" : "quoted string"),
			{.position = operand.position});
	return operand;
}

std::string Call::constant(std::size_t index) const
{
	return quote_literal(argument(index, Operand::Kind::text).literal);
}

int Call::integer(std::size_t index, int least, int most) const
{
	const Operand &operand = argument(index, Operand::Kind::number);
	const std::string &text = operand.literal;
	int value = least - 1;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
	if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
		throw Failure("22023",
			fmt::format("argument {} of filter \"{}\" must be an integer between {} and {}",
				index + 1, filter.name, least, most),
			{.position = operand.position});
	return value;
}

} // namespace automation::core
