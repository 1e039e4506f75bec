#include "pg/postgres.hpp"

#include "pg/delivery.hpp"

#include "core/delivery.hpp"
#include "pg/fields.hpp"
#include "pg/invocation.hpp"

namespace automation::pg {

Datum delivery_state(FunctionCallInfoBaseData *call)
{
	const auto holds = [&](int number) {
		return !call->args[number].isnull && DatumGetBool(call->args[number].value);
	};
	const std::string outcome = call->args[1].isnull ? "" : text_argument(call, 1);
	core::Record record{.attempted = holds(0), .planned = holds(2), .channel_held = holds(3)};
	if (!outcome.empty())
		record.outcome = outcome;
	return text_result(std::string(core::name_of(core::state_of(record))));
}

Datum may_send_again(FunctionCallInfoBaseData *call)
{
	const std::optional<core::State> state = core::state_named(text_argument(call, 0));
	return BoolGetDatum(state && core::may_send_again(*state));
}

Datum check_delivery(FunctionCallInfoBaseData *call)
{
	core::parse_policy(json_entries(datum_argument(call, 0)), {});
	return 0;
}

} // namespace automation::pg
