#include "pg/postgres.hpp"

#include "pg/caller.hpp"
#include "pg/spi.hpp"

namespace automation::pg {

namespace {

constexpr std::size_t prefix = sizeof "SPI_OK_" - 1;

void refuse(int code)
{
	if (code == SPI_ERROR_TRANSACTION)
		ereport(ERROR, errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
			errmsg("cannot begin or end a transaction here"),
			errdetail("Everything is rolled back in any case."));
	if (code == SPI_ERROR_COPY)
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			errmsg("cannot COPY to or from the client here"));
	if (code < 0)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(code));
}

} // namespace

std::string execute_for_caller(const std::string &commands)
{
	const Spi spi;
	const char *text = commands.c_str();
	std::uint64_t rows = 0;
	const int code = guard([&] {
		MemoryContext caller = CurrentMemoryContext;
		SPIExecuteOptions options{};
		options.dest = None_Receiver; // nobody reads what it returns
		const int answer = SPI_execute_extended(text, &options);
		MemoryContextSwitchTo(caller);
		refuse(answer);
		rows = SPI_processed;
		return answer;
	});
	if (code == SPI_OK_UTILITY) // or a query whose rows nobody reads
		return "done";
	return std::string(SPI_result_code_string(code)).substr(prefix) + " " + std::to_string(rows);
}

Datum is_own(FunctionCallInfoBaseData *call)
{
	const TransactionId writer = DatumGetTransactionId(call->args[0].value);
	return BoolGetDatum(TransactionIdIsCurrentTransactionId(writer));
}

} // namespace automation::pg
