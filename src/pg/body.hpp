// Inside the wall: the parse tree that PostgreSQL keeps of a BEGIN ATOMIC function. May ereport.
#pragma once

#include "pg/postgres.hpp"

namespace automation::pg {

constexpr int old_parameter = 1;
constexpr int new_parameter = 2;
constexpr int place_parameter = 3; // new.ctid: where the row is now
constexpr int table_parameter = 4; // new.tableoid

// PostgreSQL 15 declares its walkers' callbacks without parameters, which C++ takes literally.
template <typename Callback, typename Function> Callback untyped(Function *function)
{
	return reinterpret_cast<Callback>(reinterpret_cast<void *>(function));
}

template <typename NodeType> NodeType *copy_of(const NodeType *node)
{
	return static_cast<NodeType *>(copyObjectImpl(node));
}

// The one query of the function, its old and new turned from tables of its FROM clause into the
// parameters $1 and $2 of the row's type, and where the new row is into $3 and $4.
Query *body_of(Oid function);
// SELECT count(*) FROM t AS new WHERE condition, old the parameter $1.
Query *count_query_of(Oid condition);
// The conjuncts of a condition: a AND (b AND c) has three.
List *conjuncts_in(Node *condition);
// Of the query of a condition only the nth conjunct, from 1.
void keep_conjunct(Query *query, int number);
Oid changed_function(); // automation.changed(anyelement, anyelement)
// SQL text in which every name is qualified, pg_catalog's too: no search path changes its meaning.
const char *qualified_text(Query *query);

} // namespace automation::pg
