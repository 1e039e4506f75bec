// Finds a row of a table by its key.
#pragma once

#include "pg/identity.hpp"
#include "pg/whereabouts.hpp"

#include <optional>
#include <string>

namespace automation::pg {

// Looks with the rights of the table's owner, in a restricted context: a column's type may bring
// code of its owner with it.
class RowFinder {
public:
	struct Row {
		Datum value; // composite, in the current memory
		Place place;
	};

	// A query for the row whose key, as text, is $1. Nothing is prepared before it is first needed.
	RowFinder(const std::string &query, Oid owner)
		: owner_(owner), found_{query}, locked_{query + locking}
	{
	}
	RowFinder(const RowFinder &) = delete;
	RowFinder &operator=(const RowFinder &) = delete;

	// The row as it is now.
	std::optional<Row> find(const std::string &key) { return execute(found_, key, Sight::fresh); }
	// As the snapshot that is active sees it.
	std::optional<Row> seen(const std::string &key) { return execute(found_, key, Sight::active); }
	// Locked for this transaction; none, too, when another one has locked it.
	std::optional<Row> lock(const std::string &key) { return execute(locked_, key, Sight::fresh); }

private:
	static constexpr const char *locking = " FOR NO KEY UPDATE OF t SKIP LOCKED";
	struct Query {
		~Query();
		std::string command;
		_SPI_plan *plan = nullptr;
	};
	enum class Sight { fresh, active };
	std::optional<Row> execute(Query &query, const std::string &key, Sight sight) const;
	Oid owner_;
	Query found_, locked_;
};

} // namespace automation::pg
