// The databases of the cluster, as a process connected to none of them sees them.
#pragma once

#include "pg/spi.hpp"

#include <string>
#include <vector>

namespace automation::pg {

struct Database {
	Oid oid;
	std::string name;
};

std::vector<Database> connectable_databases(); // no templates; needs a transaction

} // namespace automation::pg
