// How the statements in a scope are planned.
#pragma once

#include "pg/postgres.hpp"

namespace automation::pg {

// While it lives, tables are read by their indexes. The variable is set, not the setting: that
// would cost more than most statements, and no code of users is planned meanwhile.
class ByIndex {
public:
	explicit ByIndex(bool wanted) : before_(enable_seqscan) { enable_seqscan = before_ && !wanted; }
	~ByIndex() { enable_seqscan = before_; }
	ByIndex(const ByIndex &) = delete;
	ByIndex &operator=(const ByIndex &) = delete;

private:
	bool before_;
};

} // namespace automation::pg
