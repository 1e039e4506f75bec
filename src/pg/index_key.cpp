#include "pg/analysis.hpp"

#include "pg/index_key.hpp"

namespace automation::pg {

namespace {

// The conjuncts of the condition that need neither a query nor anybody's code, as the planner
// leaves them.
List *planned_conjuncts(Oid function)
{
	Query *body = body_of(function);
	auto *condition = reinterpret_cast<Node *>(linitial_node(TargetEntry, body->targetList)->expr);
	List *plain = plain_ones(conjuncts_in(condition), RECORDOID); // the rows' type does not matter
	List *built_in = NIL;
	for (int i = 0; i < list_length(plain); ++i)
		if (!calls_user_code(static_cast<Node *>(list_nth(plain, i))))
			built_in = lappend(built_in, list_nth(plain, i));
	return reinterpret_cast<List *>(expression_planner(reinterpret_cast<Expr *>(built_in)));
}

std::uint32_t hash_of(const Comparison &comparison, int number)
{
	const auto *constant = static_cast<const Const *>(list_nth(comparison.constants, number));
	return guard([&] {
		return DatumGetUInt32(OidFunctionCall1Coll(
			comparison.constant_hash, comparison.collation, constant->constvalue));
	});
}

Equality equality_of(const Comparison &comparison)
{
	Equality equality{comparison.column, comparison.column_hash, comparison.collation, {}};
	for (int i = 0; i < list_length(comparison.constants); ++i)
		equality.hashes.push_back(hash_of(comparison, i));
	return equality;
}

} // namespace

IndexKey index_key_of(Oid function)
{
	IndexKey key;
	if (!function_exists(function))
		return key;
	List *conjuncts = guard([&] { return planned_conjuncts(function); });
	const Oid changed = guard([] { return changed_function(); });
	for (int i = 0; i < list_length(conjuncts); ++i) {
		auto *conjunct = static_cast<Node *>(list_nth(conjuncts, i));
		Comparison comparison{};
		if (const int column = watched_column(conjunct, changed))
			key.watched.push_back(column);
		else if (guard([&] { return as_equality(conjunct, &comparison); }))
			key.equalities.push_back(equality_of(comparison));
	}
	return key;
}

bool function_exists(Oid function)
{
	return guard([&] { return SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(function)); });
}

} // namespace automation::pg
