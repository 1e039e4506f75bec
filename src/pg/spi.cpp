#include "pg/postgres.hpp"

#include "pg/by_index.hpp"
#include "pg/identity.hpp"
#include "pg/spi.hpp"

namespace automation::pg {

static_assert(std::is_same_v<::Datum, automation::pg::Datum>);
static_assert(std::is_same_v<::Oid, automation::pg::Oid>);

Oid detail::type_oid(const Value &value)
{
	switch (value.type) {
	case Value::Type::int2:
		return INT2OID;
	case Value::Type::int4:
		return INT4OID;
	case Value::Type::int8:
		return INT8OID;
	case Value::Type::int2s:
		return INT2ARRAYOID;
	case Value::Type::oid:
		return OIDOID;
	case Value::Type::text:
		return TEXTOID;
	case Value::Type::jsonb:
		return JSONBOID;
	case Value::Type::timestamptz:
		return TIMESTAMPTZOID;
	case Value::Type::interval:
		return INTERVALOID;
	case Value::Type::xid8:
		return XID8OID;
	case Value::Type::datum:
		return value.datum_type;
	}
	pg_unreachable();
}

Datum detail::make_datum(const Value &value)
{
	switch (value.type) {
	case Value::Type::int2:
		return Int16GetDatum(static_cast<int16>(value.number));
	case Value::Type::int4:
		return Int32GetDatum(static_cast<int32>(value.number));
	case Value::Type::int8:
		return Int64GetDatum(value.number);
	case Value::Type::oid:
		return ObjectIdGetDatum(static_cast<Oid>(value.number));
	case Value::Type::xid8:
		return static_cast<Datum>(value.number);
	case Value::Type::text:
		return PointerGetDatum(cstring_to_text_with_len(
			value.characters.data(), static_cast<int>(value.characters.size())));
	case Value::Type::datum:
		return static_cast<Datum>(value.number);
	default: {
		Oid input = InvalidOid, io_parameter = InvalidOid;
		getTypeInputInfo(detail::type_oid(value), &input, &io_parameter);
		return OidInputFunctionCall(
			input, pnstrdup(value.characters.data(), value.characters.size()), io_parameter, -1);
	}
	}
}

namespace {

constexpr int most_parameters = 32;

struct Parameters {
	Parameters(std::initializer_list<Value> values)
	{
		for (const Value &value : values) {
			types[count] = detail::type_oid(value);
			datums[count] = value.is_null ? 0 : detail::make_datum(value);
			nulls[count] = value.is_null ? 'n' : ' ';
			++count;
		}
	}
	int count = 0;
	Oid types[most_parameters];
	Datum datums[most_parameters];
	char nulls[most_parameters];
};

// SPI leaves its own context current, which dies with the connection. A guard whose callable uses
// SPI runs it through here, so that what the caller allocates next lives where he thinks it does.
template <typename Callable> auto in_callers_memory(Callable &&callable)
{
	MemoryContext caller = CurrentMemoryContext;
	auto result = callable();
	MemoryContextSwitchTo(caller);
	return result;
}

template <typename Execute> Rows execute_guarded(const char *command, Execute &&execute)
{
	return guard([&] {
		return in_callers_memory([&] {
			const int code = execute();
			if (code < 0)
				elog(ERROR, "could not execute \"%s\": %s", command, SPI_result_code_string(code));
			return Rows(SPI_tuptable, SPI_processed);
		});
	});
}

} // namespace

Spi::Spi()
{
	guard([] {
		MemoryContext caller = CurrentMemoryContext;
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		MemoryContextSwitchTo(caller);
	});
}

Spi::~Spi()
{
	if (std::uncaught_exceptions() > exceptions_)
		return;
	detail::run_guarded_noexcept([](void *) { SPI_finish(); }, nullptr);
}

Rows Spi::execute(const ActAs &, const char *command, std::initializer_list<Value> values)
{
	return execute_guarded(command, [&] {
		Parameters parameters(values);
		return SPI_execute_with_args(command, parameters.count, parameters.types, parameters.datums,
			parameters.nulls, false, 0);
	});
}

void Statement::prepare(std::initializer_list<Value> values)
{
	if (plan_)
		return;
	plan_ = guard([&] {
		return in_callers_memory([&] {
			Oid types[most_parameters];
			int count = 0;
			for (const Value &value : values)
				types[count++] = detail::type_oid(value);
			SPIPlanPtr plan = SPI_prepare_cursor(
				command_, count, types, manner_ == Plan::usual ? 0 : CURSOR_OPT_GENERIC_PLAN);
			if (!plan || SPI_keepplan(plan) != 0)
				elog(ERROR, "could not prepare \"%s\": %s", command_,
					SPI_result_code_string(SPI_result));
			return plan;
		});
	});
}

Rows Statement::execute(std::initializer_list<Value> values)
{
	const EngineOnly identity;
	prepare(values);
	const ByIndex by_index(manner_ == Plan::by_index);
	return execute_guarded(command_, [&] {
		Parameters parameters(values);
		return SPI_execute_plan(plan_, parameters.datums, parameters.nulls, false, 0);
	});
}

Rows Statement::execute_without_context(std::initializer_list<Value> values)
{
	const EngineOnly identity;
	prepare(values);
	return execute_guarded(command_, [&] {
		Parameters parameters(values);
		int code = 0;
		without_context(
			[&] { code = SPI_execute_plan(plan_, parameters.datums, parameters.nulls, false, 0); });
		return code;
	});
}

Rows Statement::execute_fresh(std::initializer_list<Value> values)
{
	const EngineOnly identity;
	prepare(values);
	const ByIndex by_index(manner_ == Plan::by_index);
	return execute_guarded(command_, [&] {
		Parameters parameters(values);
		PushActiveSnapshot(GetLatestSnapshot());
		const int code = SPI_execute_plan(plan_, parameters.datums, parameters.nulls, true, 0);
		PopActiveSnapshot();
		return code;
	});
}

} // namespace automation::pg
