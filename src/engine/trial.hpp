// Something is done in earnest, looked at, and undone.
#pragma once

#include "pg/spi.hpp"

struct FunctionCallInfoBaseData;

namespace automation::engine {

// automation.whatif(commands, advance): what the caller's commands set off, as a tree.
pg::Datum whatif(FunctionCallInfoBaseData *call);

// automation.watch(commands): the same of what is done to stay.
pg::Datum watch(FunctionCallInfoBaseData *call);

// automation.test_rule(rule, sample, key, advance): what one rule does with a row.
pg::Datum test_rule(FunctionCallInfoBaseData *call);

} // namespace automation::engine
