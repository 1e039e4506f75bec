#include "pg/volume.hpp"

#include "pg/definitions.hpp"
#include "pg/spi.hpp"

#include <string>

namespace automation::pg {

// A transaction that was under way when the next volume was begun may go on with the last one:
// before that is emptied, its lock is waited for.
int volume()
{
	static std::uint64_t known_at = 0;
	static int known = 0;
	static Statement find("SELECT number FROM automation.volume WHERE closed_at IS NULL");
	const std::uint64_t generation = definitions_generation();
	if (known_at != generation) {
		const Spi spi;
		known = static_cast<int>(find.execute_fresh({}).integer(0, 1));
		known_at = generation;
	}
	return known;
}

Target in_volume(const char *table)
{
	return {table, volume()};
}

Statement &VolumeStatement::statement(int number)
{
	Statement *&statement = statements_.at(static_cast<std::size_t>(number));
	if (!statement) {
		const std::string suffix = number == 0 ? "" : "_" + std::to_string(number);
		auto *command = new std::string(command_);
		for (std::size_t at = 0; (at = command->find("%v", at)) != std::string::npos;)
			command->replace(at, 2, suffix);
		statement = new Statement(command->c_str(), Statement::Plan::by_index);
	}
	return *statement;
}

} // namespace automation::pg
