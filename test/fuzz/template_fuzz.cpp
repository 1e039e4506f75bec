// Whatever a template says, its SQL is one expression: nothing in it gets out of its quotes.
#include "core/failure.hpp"
#include "core/template.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace automation::core;

namespace {

// Every name is a field, its length decides the type.
class AnyFields : public Resolver {
public:
	MergeField resolve(const Path &path) override
	{
		return {"f", static_cast<Category>(to_string(path).size() % 8)};
	}

	void check_time_zone(const std::string &) override {}
};

void require(bool holds)
{
	if (!holds)
		std::abort();
}

// Where the constant that opens at `quote` ends; E'' constants know backslashes.
std::size_t end_of_constant(const std::string &sql, std::size_t quote)
{
	const bool escapes = quote > 0 && sql[quote - 1] == 'E';
	std::size_t at = quote + 1;
	for (; at < sql.size(); ++at) {
		if (escapes && sql[at] == '\\')
			++at;
		else if (sql[at] == '\'' && sql[at + 1] == '\'')
			++at;
		else if (sql[at] == '\'')
			return at;
		else
			require(escapes || sql[at] != '\\');
	}
	std::abort();
}

void require_one_expression(const std::string &sql)
{
	int depth = 0;
	for (std::size_t at = 0; at < sql.size(); ++at) {
		if (sql[at] == '\'') {
			at = end_of_constant(sql, at);
			continue;
		}
		depth += sql[at] == '(' ? 1 : 0;
		depth -= sql[at] == ')' ? 1 : 0;
		require(depth >= 0 && static_cast<unsigned char>(sql[at]) < 0x80);
		require(sql[at] != ';' && sql.compare(at, 2, "--") != 0 && sql.compare(at, 2, "/*") != 0);
	}
	require(depth == 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const std::string text(reinterpret_cast<const char *>(data), size);
	try {
		const Template source = parse_template(text);
		AnyFields fields;
		for (int destination = 0; destination < 6; ++destination)
			require_one_expression(
				to_sql(source, fields, static_cast<Destination>(destination), "Europe/Berlin"));
	} catch (const Failure &failure) {
		require(failure.advice.position >= 0);
		require(failure.advice.position <= static_cast<int>(size) + 1);
	}
	return 0;
}
