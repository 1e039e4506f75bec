// Inside the wall: what the engine needs to know of a compiled expression. May ereport.
#pragma once

#include "pg/body.hpp"

namespace automation::pg {

// old.column and new.column become columns of the two tuples that the executor is given: the old
// row is its inner, the new row its outer one. row_type points to the rows' type.
Node *parameters_to_columns(Node *node, void *row_type);

// changed(old.column, new.column): the column's number, or 0.
int watched_column(Node *conjunct, Oid changed);
// new.column = constant, or = ANY (constants), by a hashable equality.
struct Comparison {
	int column;
	Oid collation;
	Oid column_hash, constant_hash; // functions
	List *constants;				// Const
};
bool as_equality(Node *conjunct, Comparison *comparison);

// Those of the parts that have no sub-query, with columns for parameters.
List *plain_ones(List *parts, Oid row_type);
List *functions_in(Node *expression);
// Neither PostgreSQL's nor ours.
bool calls_user_code(Node *expression);
// Nothing is known to fail only if all of it is leakproof.
bool can_fail(Node *expression);
// Whether DateStyle, TimeZone and the like have a say in how a value is written.
bool writes_by_settings(Node *node, void *unused);

} // namespace automation::pg
