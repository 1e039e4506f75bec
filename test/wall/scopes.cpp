#include "pg/postgres.hpp"

#include "scopes.hpp"

#include "pg/identity.hpp"
#include "pg/memory.hpp"
#include "pg/spi.hpp"
#include "raise.hpp"
#include "tracer.hpp"

namespace automation::wall {

namespace {

std::string answer(const std::optional<pg::Error> &error)
{
	return error ? error->sqlstate() + " " + error->message() : "ok";
}

void descend(
	const std::vector<std::string> &commands, std::size_t level, std::vector<std::string> &answers)
{
	if (level == commands.size())
		return;
	const Tracer tracer;
	const std::optional<pg::Error> error = pg::subtransaction([&] {
		execute(commands[level]);
		descend(commands, level + 1, answers);
	});
	answers.push_back(answer(error));
}

// What a guard and a subtransaction have to put back.
struct State {
	sigjmp_buf *handlers = PG_exception_stack;
	ErrorContextCallback *contexts = error_context_stack;
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	int nesting = GetCurrentTransactionNestLevel();
	bool operator==(const State &) const = default;
};

} // namespace

std::optional<std::string> execute(const std::string &command)
{
	const Tracer tracer;
	pg::Spi spi;
	const Tracer inside;
	const pg::Rows rows = spi.execute(pg::ActAs::engine(), command.c_str(), {});
	return rows.size() == 0 ? std::nullopt : rows.text(0, 1);
}

std::vector<std::string> attempt(const std::vector<std::string> &commands)
{
	const Tracer tracer;
	pg::Spi spi; // still connected after an error below it
	std::vector<std::string> answers;
	for (const std::string &command : commands)
		answers.push_back(answer(pg::subtransaction([&] { execute(command); })));
	answers.push_back(
		spi.execute(pg::ActAs::engine(), "SELECT 'still here'", {}).text(0, 1).value_or(""));
	return answers;
}

std::vector<std::string> attempt_nested(const std::vector<std::string> &commands)
{
	std::vector<std::string> answers;
	descend(commands, 0, answers);
	return answers;
}

std::string attempt_raise(const std::string &command, std::string_view kind)
{
	const Tracer tracer;
	return answer(pg::subtransaction([&] {
		const Tracer inside;
		execute(command);
		raise(kind);
	}));
}

void keep_and_throw(const std::string &command)
{
	std::optional<pg::Error> kept = pg::subtransaction([&] { execute(command); });
	for (int i = 0; i < 20; ++i)
		pg::subtransaction([&] { execute("SELECT 1 / 0"); });
	if (kept)
		throw std::move(*kept);
}

bool restores_state(std::string_view kind)
{
	const State before;
	pg::subtransaction([&] {
		const Tracer tracer;
		pg::Spi spi;
		const pg::Memory memory("pg_automation test", pg::Memory::Life::statement);
		const pg::InMemory inside(memory);
		raise_below_guards(kind, 3);
	});
	return before == State();
}

void raise_in_memory(std::string_view kind)
{
	const pg::Memory backend("pg_automation test", pg::Memory::Life::backend);
	const pg::InMemory in_backend(backend);
	const pg::Memory statement("pg_automation test", pg::Memory::Life::statement);
	const pg::InMemory in_statement(statement);
	const Tracer tracer;
	pg::guard([] { palloc(1024); });
	raise_below_guards(kind, 1);
}

std::int64_t divide(std::int64_t dividend, std::int64_t divisor)
{
	static pg::Statement division("SELECT $1 / $2");
	const Tracer tracer;
	pg::Spi spi;
	return division.execute({pg::Value::int8(dividend), pg::Value::int8(divisor)}).integer(0, 1);
}

void execute_broken_statement()
{
	static pg::Statement broken("SELECT no_such_column");
	const Tracer tracer;
	pg::Spi spi;
	broken.execute({});
}

void spin()
{
	const Tracer tracer;
	for (;;)
		pg::check_interrupts();
}

void spin_in_subtransaction()
{
	const Tracer tracer;
	pg::subtransaction([] { spin(); });
}

} // namespace automation::wall
