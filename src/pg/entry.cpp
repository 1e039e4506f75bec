#include "pg/entry.hpp"

#include "core/failure.hpp"

#include <exception>
#include <new>

namespace automation::pg::detail {

namespace {

// A cut in the middle of a UTF-8 character would be the next error.
template <std::size_t Size> void copy_text(char (&target)[Size], const std::string &source)
{
	const int length = pg_mbcliplen(source.c_str(), static_cast<int>(source.size()), Size - 1);
	memcpy(target, source.data(), length);
	target[length] = '\0';
}

void note_failure(Escaped &escaped, const core::Failure &failure)
{
	const auto &state = failure.sqlstate;
	escaped.sqlerrcode = MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4]);
	escaped.position = failure.advice.position;
	copy_text(escaped.message, failure.what());
	copy_text(escaped.detail, failure.advice.detail);
	copy_text(escaped.hint, failure.advice.hint);
}

// Runs inside of ereport(): the detail, and where in the user's text it went wrong.
void tell_detail(const Escaped &escaped)
{
	if (escaped.position > 0)
		errdetail_internal("%s%sThe error is at character %d of the text.", escaped.detail,
			escaped.detail[0] ? " " : "", escaped.position);
	else if (escaped.detail[0])
		errdetail_internal("%s", escaped.detail);
}

} // namespace

void note(Escaped &escaped) noexcept
{
	escaped = {nullptr, ERRCODE_INTERNAL_ERROR, 0, "unknown C++ exception", "", ""};
	try {
		throw;
	} catch (Error &error) {
		escaped.error = error.release();
	} catch (const core::Failure &failure) {
		note_failure(escaped, failure);
	} catch (const std::bad_alloc &) {
		escaped.sqlerrcode = ERRCODE_OUT_OF_MEMORY;
		strlcpy(escaped.message, "out of memory", sizeof escaped.message);
	} catch (const std::exception &other) {
		strlcpy(escaped.message, other.what(), sizeof escaped.message);
	} catch (...) {
	}
}

void raise(const Escaped &escaped)
{
	if (escaped.error)
		throw_again(escaped.error);
	ereport(ERROR, errcode(escaped.sqlerrcode), errmsg_internal("%s", escaped.message),
		tell_detail(escaped), escaped.hint[0] ? errhint("%s", escaped.hint) : 0);
	pg_unreachable();
}

} // namespace automation::pg::detail
