#include "pg/volume.hpp"

#include "pg/definitions.hpp"
#include "pg/spi.hpp"

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

} // namespace automation::pg
