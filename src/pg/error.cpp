#include "pg/postgres.hpp"

#include "pg/error.hpp"

namespace automation::pg {

namespace {

// Restores the two stacks on every way out, a C++ exception included.
struct HandlerStacks {
	sigjmp_buf *handler = PG_exception_stack;
	ErrorContextCallback *context = error_context_stack;
	~HandlerStacks()
	{
		PG_exception_stack = handler;
		error_context_stack = context;
	}
};

// What is left to say when there is no memory for an error.
ErrorData *out_of_memory()
{
	static char message[] = "out of memory";
	static ErrorData error{};
	error.elevel = ERROR;
	error.sqlerrcode = ERRCODE_OUT_OF_MEMORY;
	error.message = message;
	return &error;
}

// Runs a callable of plain PostgreSQL code. False when it raised an ERROR, which is pending then.
template <typename Callable> bool survives(Callable &&callable)
{
	const HandlerStacks outer;
	sigjmp_buf here;
	if (sigsetjmp(here, 0) != 0)
		return false;
	PG_exception_stack = &here;
	callable();
	return true;
}

// Moves the pending ERROR off PostgreSQL's error stack into storage of its own. To copy it takes
// memory, and to find none is another ERROR, that must not go past the frames above us.
Error take_error(MemoryContext caller)
{
	static MemoryContext storage; // not in a register: it is set between sigsetjmp and siglongjmp
	static ErrorData *data;
	storage = nullptr;
	const bool copied = survives([] {
		storage =
			AllocSetContextCreate(TopMemoryContext, "pg_automation error", ALLOCSET_SMALL_SIZES);
		MemoryContextSwitchTo(storage);
		data = CopyErrorData();
	});
	MemoryContextSwitchTo(caller);
	FlushErrorState();
	if (!copied && storage)
		MemoryContextDelete(storage);
	return Error(copied ? data : out_of_memory());
}

bool is_internal(int sqlerrcode)
{
	return ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_INTERNAL_ERROR;
}

// The last of the callbacks: no error points into a statement of ours.
void forget_statement(void *)
{
	if (is_internal(geterrcode()))
		return;
	errposition(0);
	internalerrposition(0);
	internalerrquery(nullptr);
}

} // namespace

void Error::Free::operator()(ErrorData *data) const noexcept
{
	if (data != out_of_memory())
		MemoryContextDelete(GetMemoryChunkContext(data));
}

void detail::throw_again(ErrorData *error)
{
	if (error != out_of_memory()) // else FlushErrorState frees it together with the error itself
		MemoryContextSetParent(GetMemoryChunkContext(error), ErrorContext);
	ReThrowError(error);
}

std::string Error::sqlstate() const
{
	return unpack_sql_state(data_->sqlerrcode);
}

std::string Error::message() const
{
	return data_->message ? data_->message : "";
}

std::string Error::detail() const
{
	return data_->detail ? data_->detail : "";
}

std::string Error::hint() const
{
	return data_->hint ? data_->hint : "";
}

std::string Error::constraint() const
{
	return data_->constraint_name ? data_->constraint_name : "";
}

bool Error::is_cancel() const noexcept
{
	return data_->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		ERRCODE_TO_CATEGORY(data_->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION;
}

void Error::log_warning() const
{
	guard([&] {
		ErrorData copy = *data_;
		copy.elevel = WARNING;
		ThrowErrorData(&copy);
	});
}

void Error::log(const std::string &context) const
{
	std::string text = (data_->context ? data_->context + std::string("\n") : "") + context;
	guard([&] {
		ErrorData copy = *data_;
		copy.elevel = LOG_SERVER_ONLY;
		copy.context = text.data();
		ThrowErrorData(&copy);
	});
}

void fail(const char *sqlstate, const std::string &message)
{
	guard([&] {
		ereport(ERROR,
			errcode(MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4])),
			errmsg_internal("%s", message.c_str()));
	});
	pg_unreachable();
}

void detail::run_guarded(void (*call)(void *), void *closure)
{
	const MemoryContext caller = CurrentMemoryContext;
	if (!survives([&] { call(closure); }))
		throw take_error(caller);
}

void detail::run_guarded_noexcept(void (*call)(void *), void *closure) noexcept
{
	const MemoryContext caller = CurrentMemoryContext;
	if (survives([&] { call(closure); }))
		return;
	MemoryContextSwitchTo(caller);
	FlushErrorState(); // the transaction's abort releases what we could not
}

void detail::run_without_context(void (*call)(void *), void *closure)
{
	const MemoryContext caller = CurrentMemoryContext;
	ErrorContextCallback last{nullptr, forget_statement, nullptr};

	PG_TRY();
	{
		error_context_stack = &last; // those below come into it when the error is thrown again
		call(closure);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		ErrorData *error = CopyErrorData();
		FlushErrorState();
		if (!is_internal(error->sqlerrcode))
			error->context = nullptr;
		ThrowErrorData(error);
	}
	PG_END_TRY();
}

void check_interrupts()
{
	if (INTERRUPTS_PENDING_CONDITION())
		guard([] { ProcessInterrupts(); });
}

} // namespace automation::pg
