// Fault points: named places on the way of a write and of a delivery where a test can have
// something happen, from an error to the death of the server. Nothing here does anything by itself:
// what is to happen is known to the library test/faults alone, and to us whether that is there.
#pragma once

namespace automation::pg {

void find_faults(); // from _PG_init

namespace detail {
inline void *no_faults = nullptr;
inline void **faults = &no_faults; // a variable in which libraries meet
bool strike(const char *point) noexcept;
[[noreturn]] void fail_at(const char *point);
} // namespace detail

// May raise an error.
inline void fault_point(const char *name)
{
	if (*detail::faults) [[unlikely]]
		if (detail::strike(name))
			detail::fail_at(name);
}

// Where nothing may be raised: after a commit, inside libcurl, on another thread.
inline void quiet_fault_point(const char *name) noexcept
{
	if (*detail::faults) [[unlikely]]
		detail::strike(name);
}

} // namespace automation::pg
