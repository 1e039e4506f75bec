// A schedule that is accepted comes again and again, each time once, whatever the clocks do.
#include "core/cron.hpp"
#include "core/failure.hpp"

#include "../unit/berlin.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace automation::core;

namespace {

void require(bool holds)
{
	if (!holds)
		std::abort();
}

void follow(const Cron &cron, Instant after)
{
	const Berlin zone;
	for (int i = 0; i < 4; ++i) {
		const Instant due = cron.next(after, zone);
		require(due > after);
		require(cron.next(due - std::chrono::microseconds(1), zone) == due);
		require(cron.next(after + (due - after) / 2, zone) == due ||
			due - after < std::chrono::microseconds(2));
		after = due;
	}
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const std::string text(reinterpret_cast<const char *>(data), size);
	try {
		const Cron cron(text);
		follow(cron, berlin(2026, 3, 28, 12));
		follow(cron, berlin(2026, 10, 24, 12));
	} catch (const Failure &) {
	}
	return 0;
}
