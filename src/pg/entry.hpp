// C++ exceptions stop here: every function PostgreSQL calls goes through enter().
#pragma once

#include "pg/postgres.hpp"

#include "pg/error.hpp"

namespace automation::pg {

namespace detail {
// What escaped, in plain storage: raise() longjmps out of enter(), so nothing here has a
// destructor. Nor is anything set before note() does: most calls end well, and it is much to clear.
struct Escaped {
	ErrorData *error;
	int sqlerrcode;
	int position;
	char message[1024];
	char detail[1024];
	char hint[1024];
};
static_assert(std::is_trivial_v<Escaped>);
void note(Escaped &escaped) noexcept; // call inside a handler
[[noreturn]] void raise(const Escaped &escaped);
} // namespace detail

template <Datum (*Impl)(FunctionCallInfo)> Datum enter(FunctionCallInfo fcinfo)
{
	detail::Escaped escaped;
	try {
		return Impl(fcinfo);
	} catch (...) {
		detail::note(escaped);
	}
	detail::raise(escaped); // outside the handler: the exception object is gone
}

// The same for a background worker's main function.
template <void (*Main)(Datum)> void enter_worker(Datum argument)
{
	detail::Escaped escaped;
	try {
		return Main(argument);
	} catch (...) {
		detail::note(escaped);
	}
	detail::raise(escaped);
}

} // namespace automation::pg

// Defines the C entry point NAME for the C++ function IMPL.
#define PG_ENTRY(NAME, IMPL)                                                                       \
	extern "C" {                                                                                   \
	PGDLLEXPORT Datum NAME(PG_FUNCTION_ARGS);                                                      \
	PG_FUNCTION_INFO_V1(NAME);                                                                     \
	Datum NAME(PG_FUNCTION_ARGS)                                                                   \
	{                                                                                              \
		return ::automation::pg::enter<IMPL>(fcinfo);                                              \
	}                                                                                              \
	}                                                                                              \
	static_assert(true, "")
