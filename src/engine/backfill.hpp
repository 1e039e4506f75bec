// Rows that were there before their rule.
#pragma once

namespace automation::engine {

// Looks at the next of them, as many as the rates allow; answers how many.
int backfill();

} // namespace automation::engine
