// Whether the recipient of a message wants to hear it.
#pragma once

#include "pg/spi.hpp"

#include <string>

namespace automation::engine {

// Why not; empty when nothing speaks against it. The message says of which class it is.
std::string consent_problem(
	const std::string &kind, const std::string &recipient, pg::Datum message);

} // namespace automation::engine
