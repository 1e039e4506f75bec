// The query of a compiled function, planned and executed as it was analysed when the rule was made.
// It is never text again: what text leaves open (which operator IS DISTINCT FROM means, and NULLIF,
// IN, CASE, row comparison) a search path would decide anew.
#pragma once

#include "pg/spi.hpp"
#include "pg/whereabouts.hpp"

#include <optional>
#include <string>

struct CachedPlan;
struct CachedPlanSource;
struct ParamListInfoData;
struct Query;

namespace automation::pg {

// What of a compiled function is asked.
struct Asked {
	Oid function;
	Oid row_type; // of the images
	// Only this conjunct of its condition, from 1; or else all that it says, or how many rows of
	// the table it holds for as if each had just been inserted.
	int what = all_of_it;

	static constexpr int all_of_it = 0, number_of_rows = -1;
};

// Runs with the rights of whoever is current, who may read all that it names: a policy that would
// hide rows from him is an error. Follows invalidations as a prepared statement does.
class StoredQuery {
public:
	explicit StoredQuery(Asked asked);
	~StoredQuery();
	StoredQuery(const StoredQuery &) = delete;
	StoredQuery &operator=(const StoredQuery &) = delete;

	// Raises the error that keeps it from being executed now.
	void check();
	std::size_t size() const; // in memory
	// The one value it answers for the row before and after, which is there; none for NULL or no
	// row. In the current memory.
	std::optional<Datum> value(
		std::optional<Datum> before, std::optional<Datum> after, const Place &place = {});

private:
	CachedPlan *plan(); // these run inside a guard
	void prepare();
	void forget() noexcept;
	void run(ParamListInfoData *parameters, void *receiver);

	Asked asked_;
	std::string name_;
	CachedPlanSource *source_ = nullptr;
	bool is_outdated_ = false;
};

} // namespace automation::pg
