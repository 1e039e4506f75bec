// SQL statements, and the two scopes that may stop a PostgreSQL error: a subtransaction and a
// worker's transaction.
#pragma once

#include "pg/error.hpp"

#include <cstdint>
#include <exception>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

struct SPITupleTable;
struct _SPI_plan;

namespace automation::pg {

class ActAs;

using Oid = unsigned int;
using Datum = std::uintptr_t; // as PostgreSQL defines it; pg/ asserts that

// One parameter of a statement.
struct Value {
	enum class Type {
		int2,
		int4,
		int8,
		int2s,
		oid,
		text,
		jsonb,
		timestamptz,
		interval,
		xid8,
		datum
	};

	static Value int2(std::int64_t number) { return {Type::int2, false, number, {}, 0}; }
	static Value int4(std::int64_t number) { return {Type::int4, false, number, {}, 0}; }
	static Value int8(std::int64_t number) { return {Type::int8, false, number, {}, 0}; }
	static Value oid(Oid object) { return {Type::oid, false, object, {}, 0}; }
	static Value xid8(std::uint64_t transaction)
	{
		return {Type::xid8, false, static_cast<std::int64_t>(transaction), {}, 0};
	}
	static Value text(std::string_view text) { return {Type::text, false, 0, text, 0}; }
	static Value text_or_null(const std::optional<std::string> &text)
	{
		return text ? Value::text(*text) : null(Type::text);
	}
	// The textual form of a value of that type: jsonb, timestamptz, interval.
	static Value parse(Type type, std::string_view text) { return {type, false, 0, text, 0}; }
	// A value that PostgreSQL made, of the type given.
	static Value datum(Datum value, Oid type)
	{
		return {Type::datum, false, static_cast<std::int64_t>(value), {}, type};
	}
	static Value null(Type type) { return {type, true, 0, {}, 0}; }
	static Value null(Oid type) { return {Type::datum, true, 0, {}, type}; }

	Type type;
	bool is_null;
	std::int64_t number;
	std::string_view characters;
	Oid datum_type;
};

namespace detail { // inside a guard
Oid type_oid(const Value &value);
Datum make_datum(const Value &value);
} // namespace detail

// The rows of the statement executed last; gone with the next one. To ask for one that is not there
// is an error.
class Rows {
public:
	Rows() = default;
	Rows(SPITupleTable *table, std::uint64_t processed) : table_(table), count_(processed) {}
	std::uint64_t size() const
	{
		return count_; // rows returned, or touched when none are returned
	}
	bool is_null(std::uint64_t row, int column) const;					  // columns count from 1
	std::optional<std::string> text(std::uint64_t row, int column) const; // by the output function
	std::int64_t integer(std::uint64_t row, int column) const; // int2, int4, int8, oid; null is 0
	bool boolean(std::uint64_t row, int column) const;		   // null is false
	std::string bytes(std::uint64_t row, int column) const;	   // bytea; null is empty
	Datum datum(std::uint64_t row, int column) const;		   // lives until Spi ends

private:
	SPITupleTable *table_ = nullptr;
	std::uint64_t count_ = 0;
};

// Connected while it lives. When an exception passes, the abort that follows pops the connection
// (AtEOSubXact_SPI), so the destructor leaves it alone.
class Spi {
public:
	Spi();
	~Spi();
	Spi(const Spi &) = delete;
	Spi &operator=(const Spi &) = delete;

	// Not kept: for what runs once. Who looks its names up is for the caller to decide.
	Rows execute(const ActAs &identity, const char *command, std::initializer_list<Value> values);

private:
	int exceptions_ = std::uncaught_exceptions();
};

// A statement of the engine's, executed as EngineOnly; where it comes to code of users it stands in
// a scope of ActAs::engine(). Prepared once per backend, on its first use, inside a live Spi.
// Parameter types are those of the first call. Made to be a function's static: it is
// constant-initialised and never destroyed.
class Statement {
public:
	enum class Plan {
		usual,
		once,	 // for what looks rows up by their key, whatever the key
		by_index // however small the tables were when it was planned
	};

	constexpr explicit Statement(const char *command, Plan manner = Plan::usual)
		: command_(command), manner_(manner)
	{
	}
	Rows execute(std::initializer_list<Value> values);
	// What is wrong is the caller's doing: an error says nothing of the statement.
	Rows execute_without_context(std::initializer_list<Value> values);
	// Sees what is committed now whatever the transaction's isolation level.
	Rows execute_fresh(std::initializer_list<Value> values);

private:
	void prepare(std::initializer_list<Value> values);
	const char *command_;
	Plan manner_;
	_SPI_plan *plan_ = nullptr;
};

namespace detail {
struct Savepoint {
	Savepoint();
	void release();
	void rollback();
	void *context, *owner; // MemoryContext, ResourceOwner
};
void begin_transaction();
void commit_transaction();
void abort_transaction();
} // namespace detail

// Runs body in a subtransaction. A PostgreSQL error rolls it back and comes back as a value; only a
// cancel or a shutdown goes on, since it concerns the whole statement.
template <typename Body> std::optional<Error> subtransaction(Body &&body)
{
	std::optional<Error> error;
	std::exception_ptr other;
	detail::Savepoint savepoint;
	try {
		body();
		savepoint.release();
		return std::nullopt;
	} catch (Error &caught) {
		error = std::move(caught);
	} catch (...) {
		other = std::current_exception();
	}
	savepoint.rollback();
	if (other)
		std::rethrow_exception(other);
	if (error->is_cancel())
		throw std::move(*error);
	return error;
}

// Runs body in a transaction of its own: for a background worker's loop. A PostgreSQL error aborts
// it and comes back as a value; the worker lives on.
template <typename Body> std::optional<Error> transaction(Body &&body)
{
	std::optional<Error> error;
	std::exception_ptr other;
	try {
		detail::begin_transaction();
		body();
		detail::commit_transaction();
		return std::nullopt;
	} catch (Error &caught) {
		error = std::move(caught);
	} catch (...) {
		other = std::current_exception();
	}
	detail::abort_transaction();
	if (other)
		std::rethrow_exception(other);
	return error;
}

// SET CONSTRAINTS ALL IMMEDIATE: what is deferred already is checked now, by who is current.
void defer_no_constraint();
bool in_transaction_block(); // of a user's, begun with BEGIN

} // namespace automation::pg
