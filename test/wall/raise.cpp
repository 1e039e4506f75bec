#include "pg/postgres.hpp"

#include "raise.hpp"

#include "core/failure.hpp"
#include "pg/error.hpp"
#include "tracer.hpp"

#include <new>
#include <stdexcept>
#include <sys/resource.h>

namespace automation::wall {

namespace {

[[noreturn]] void report_in_full()
{
	ereport(ERROR, errcode(ERRCODE_CHECK_VIOLATION), errmsg("from PostgreSQL"),
		errdetail("The detail."), errhint("The hint."),
		err_generic_string(PG_DIAG_SCHEMA_NAME, "a schema"),
		err_generic_string(PG_DIAG_TABLE_NAME, "a table"),
		err_generic_string(PG_DIAG_COLUMN_NAME, "a column"),
		err_generic_string(PG_DIAG_DATATYPE_NAME, "a type"),
		err_generic_string(PG_DIAG_CONSTRAINT_NAME, "a constraint"));
	pg_unreachable();
}

// Its destructor calls PostgreSQL, which fails: that must harm neither the error that is passing
// nor the objects above.
struct Careless {
	Careless() = default;
	~Careless()
	{
		pg::detail::run_guarded_noexcept(
			[](void *) { ereport(ERROR, errmsg("from a destructor")); }, nullptr);
		pg::detail::run_guarded_noexcept([](void *) { pfree(palloc(8)); }, nullptr);
	}
	Careless(const Careless &) = delete;
	Careless &operator=(const Careless &) = delete;
};

// No more memory for this process while it lives.
class Poverty {
public:
	Poverty() { getrlimit(RLIMIT_AS, &before_); }
	~Poverty() { setrlimit(RLIMIT_AS, &before_); }
	Poverty(const Poverty &) = delete;
	Poverty &operator=(const Poverty &) = delete;

	int begin() const
	{
		rlimit none{.rlim_cur = 1, .rlim_max = before_.rlim_max};
		return setrlimit(RLIMIT_AS, &none);
	}

private:
	rlimit before_;
};

// There is memory for the error, and none to copy it.
void report_beyond_memory()
{
	const std::string text(std::size_t{64} * 1024 * 1024, 'x');
	const Poverty poverty;
	const Tracer above;
	pg::guard([&] { ereport(ERROR, errmsg_internal("%s", text.c_str()), poverty.begin()); });
}

} // namespace

void raise(std::string_view kind)
{
	const Tracer tracer;
	if (kind == "postgres")
		pg::guard([] { report_in_full(); });
	if (kind == "careless") {
		const Careless careless;
		const Tracer above;
		pg::guard([] { report_in_full(); });
	}
	if (kind == "beyond_memory")
		report_beyond_memory();
	if (kind == "failure")
		throw core::Failure("22023", "from C++", {"The detail.", "The hint.", 7});
	if (kind == "failure_in_guard")
		pg::guard([] { throw core::Failure("22023", "from C++", {"The detail.", "The hint."}); });
	if (kind == "long_failure") { // 3 bytes each: the buffer ends within one
		std::string text = "x";
		for (int i = 0; i < 1000; ++i)
			text += "€";
		throw core::Failure("22023", text, {text, text});
	}
	if (kind == "runtime_error")
		throw std::runtime_error("from the library");
	if (kind == "bad_alloc")
		throw std::bad_alloc();
	if (kind == "int")
		throw 42;
	if (kind == "none")
		const Careless careless;
}

void raise_below_guards(std::string_view kind, int depth)
{
	const Tracer tracer;
	if (depth == 0)
		raise(kind);
	else
		pg::guard([&] { raise_below_guards(kind, depth - 1); });
}

} // namespace automation::wall
