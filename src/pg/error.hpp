// Errors cross the wall here: a PostgreSQL ERROR becomes pg::Error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

struct ErrorData;

namespace automation::pg {

// A PostgreSQL error in flight. It owns a memory context of its own, so neither SPI_finish nor a
// rollback, which free the usual places, can free it under us. It does not derive from
// std::exception on purpose: no handler for those swallows it by accident.
class Error {
public:
	explicit Error(ErrorData *data) noexcept : data_(data) {}

	std::string sqlstate() const;
	std::string message() const;
	std::string detail() const;
	std::string hint() const;
	std::string constraint() const;
	void log_warning() const; // reports it one level below: the worker lives on
	// To the server's log alone; context: what it kept us from doing.
	void log(const std::string &context) const;
	bool is_cancel() const noexcept; // asked for by a person, a timeout or a shutdown
	ErrorData *release() noexcept { return data_.release(); }

private:
	struct Free {
		void operator()(ErrorData *data) const noexcept;
	};
	std::unique_ptr<ErrorData, Free> data_;
};

// An error of our own that a subtransaction stops as it stops PostgreSQL's.
[[noreturn]] void fail(const char *sqlstate, const std::string &message);
void check_interrupts(); // raises what the user, or the server, has asked for meanwhile

namespace detail {
void run_guarded(void (*call)(void *), void *closure);
void run_guarded_noexcept(void (*call)(void *), void *closure) noexcept;
void run_without_context(void (*call)(void *), void *closure);
[[noreturn]] void throw_again(ErrorData *error); // what Error::release() returned
} // namespace detail

// Runs a callable that may ereport(ERROR); the ERROR arrives here as pg::Error. A longjmp skips the
// frames between here and the ereport, so the callable owns nothing that needs a destructor.
template <typename Callable> auto guard(Callable &&callable)
{
	using Result = std::invoke_result_t<Callable &>;
	using Target = std::remove_reference_t<Callable>;
	if constexpr (std::is_void_v<Result>) {
		detail::run_guarded([](void *target) { (*static_cast<Target *>(target))(); }, &callable);
	} else {
		static_assert(std::is_trivially_copyable_v<Result>);
		struct Frame {
			Target *callable;
			Result result;
		} frame{&callable, {}};
		detail::run_guarded(
			[](void *target) {
				auto *inner = static_cast<Frame *>(target);
				inner->result = (*inner->callable)();
			},
			&frame);
		return frame.result;
	}
}

// Within a guard: an ERROR of the callable goes on without the context and the statement it came
// from, when those are ours and tell a user nothing. The context of the caller stays, and so does
// all of an internal error.
template <typename Callable> void without_context(Callable &&callable)
{
	detail::run_without_context(
		[](void *target) { (*static_cast<std::remove_reference_t<Callable> *>(target))(); },
		&callable);
}

} // namespace automation::pg
