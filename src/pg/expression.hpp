// A rule's compiled function, taken apart: PostgreSQL keeps it (and follows renames), we evaluate
// it.
#pragma once

#include "pg/definitions.hpp"
#include "pg/memory.hpp"
#include "pg/row.hpp"

#include <memory>
#include <string>
#include <vector>

struct CachedExpression;
struct ExprState;
struct List;

namespace automation::pg {

class StoredQuery;

// The function automation_compiled.name(), whose body is one expression or statement over T AS old,
// T AS new. Privileges are checked for the current user when it is made.
class Expression {
public:
	Expression(Oid function, const RowType &type);
	~Expression();
	Expression(const Expression &) = delete;
	Expression &operator=(const Expression &) = delete;

	static std::size_t memory_in_use() { return memory_in_use_; } // by all of them, in bytes
	// Nothing that it was made from has changed, nor anybody's rights.
	bool is_current() const;
	// Columns that must have changed for the condition to hold.
	const std::vector<int> &watched() const { return watched_; }
	// Evaluating it can neither fail nor run anybody's code: no savepoint, no change of identity.
	bool is_harmless() const { return harmless_; }
	// Only built-in code is in it: no change of identity.
	bool is_built_in() const { return built_in_; }
	// It writes a value in a way that DateStyle, TimeZone and the like have a say in.
	bool depends_on_settings() const { return settings_matter_; }

	// For a condition: the watched columns changed, and the rest is true.
	bool holds(const RowChange &change) const;
	// For a message, statement or time: its one value; none for NULL or for no row. In the
	// current memory.
	std::optional<Datum> value(const RowChange &change) const;

private:
	struct FreePlanned {
		void operator()(CachedExpression *planned) const noexcept;
	};
	struct Outcome {
		Datum value;
		bool is_null;
	};
	List *take_apart(const RowType &type);
	void compile(List *parts);
	Outcome evaluate(const RowChange &change) const;
	std::optional<Datum> query(const RowChange &change) const;

	static inline std::size_t memory_in_use_ = 0;
	Oid function_;
	Oid row_type_;
	Memory memory_{"pg_automation expression", Memory::Life::backend};
	Basis basis_;
	std::vector<int> watched_;
	bool is_condition_ = false;
	bool needs_query_ = false; // for what is no plain expression; in a condition, for some of it
	bool harmless_ = false;
	bool built_in_ = false;
	bool settings_matter_ = true;
	short result_length_ = 0;
	bool result_by_value_ = false;
	std::unique_ptr<CachedExpression, FreePlanned> planned_;
	ExprState *state_ = nullptr;  // null: nothing is left to evaluate, or a query does it
	mutable bool in_use_ = false; // a state serves one row at a time; rules set themselves off
	mutable std::unique_ptr<StoredQuery> query_;
	std::size_t size_ = 0;
};

// The text of jsonb, or of any value of that type.
std::string text_of(Datum value, Oid type);

} // namespace automation::pg
