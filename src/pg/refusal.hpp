// What our own code refuses, as a value: the one other place, besides enter(), subtransaction() and
// transaction(), where an exception ends. A PostgreSQL error passes through.
#pragma once

#include "core/failure.hpp"

#include <optional>

namespace automation::pg {

template <typename Body> std::optional<core::Failure> refusal(Body &&body)
{
	try {
		body();
	} catch (const core::Failure &failure) {
		return failure;
	}
	return std::nullopt;
}

} // namespace automation::pg
