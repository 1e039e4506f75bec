// What an action throws, as a value that a test can look at.
#pragma once

#include "core/failure.hpp"

#include <gtest/gtest.h>

namespace automation::core {

template <typename Action> Failure failure_of(Action action)
{
	try {
		action();
	} catch (const Failure &failure) {
		return failure;
	}
	ADD_FAILURE() << "nothing was thrown";
	return Failure("00000", "nothing was thrown");
}

// "22023 message | detail | hint @position", leaving out what is empty.
inline std::string report(const Failure &failure)
{
	std::string text = std::string(failure.sqlstate) + ' ' + failure.what();
	if (!failure.advice.detail.empty())
		text += " | " + failure.advice.detail;
	if (!failure.advice.hint.empty())
		text += " | " + failure.advice.hint;
	if (failure.advice.position != 0)
		text += " @" + std::to_string(failure.advice.position);
	return text;
}

} // namespace automation::core
