// A rule's compiled function, taken apart: PostgreSQL keeps it (and follows renames), we evaluate
// it.
#pragma once

#include "pg/row.hpp"

#include <string>
#include <vector>

struct ExprState;
struct Query;
struct _SPI_plan;

namespace automation::pg {

// `new.column = constant`: what the rule index is made of.
struct Equality {
	int column;
	Oid function; // the type's hash function
	Oid collation;
	std::uint32_t hash; // of the constant
};

// The function automation_compiled.name(), whose body is one expression or statement over T AS old,
// T AS new. Made in the current memory; privileges of the functions in it are checked for the
// current user.
class Expression {
public:
	Expression(Oid function, const RowType &type);
	~Expression();
	Expression(Expression &&other) noexcept;
	Expression(const Expression &) = delete;
	Expression &operator=(const Expression &) = delete;

	// Conjuncts that the index answers; holds() leaves them out.
	const std::vector<Equality> &equalities() const { return equalities_; }
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
	struct Tree;
	void prepare_state(Tree &tree);
	void prepare_query();
	std::optional<Datum> query(const RowChange &change) const;

	std::vector<Equality> equalities_;
	std::vector<int> watched_;
	bool harmless_ = true;
	bool built_in_ = true;
	bool settings_matter_ = true;
	ExprState *state_ = nullptr; // null: nothing is left to evaluate, or a query does it
	struct EState *executor_ = nullptr;
	Query *body_;
	Oid row_type_;
	short result_length_ = 0;
	bool result_by_value_ = false;
	mutable _SPI_plan *plan_ = nullptr; // a sub-query or statement goes through SPI
	bool needs_query_ = false;
	mutable bool in_use_ = false; // a state serves one row at a time; rules set themselves off
};

// The text of jsonb, or of any value of that type.
std::string text_of(Datum value, Oid type);

} // namespace automation::pg
