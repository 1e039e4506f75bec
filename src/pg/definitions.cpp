#include "pg/postgres.hpp"

#include "pg/definitions.hpp"
#include "pg/own_relation.hpp"

#include <algorithm>

namespace automation::pg {

namespace {

// Invalidation callbacks may neither fail nor allocate: they count. Objects that share a counter
// cost no more than some work done twice.
constexpr std::uint32_t counters = 256;
std::uint64_t generation = 1;
std::uint64_t rights = 0;
std::uint64_t seen = 0; // of any kind
std::uint64_t relations[counters];
std::uint64_t functions[counters];
Oid rule_table = InvalidOid; // stands for all definitions

void count(std::uint64_t (&changes)[counters], std::uint32_t which, bool all)
{
	if (!all)
		++changes[which % counters];
	else
		for (std::uint64_t &change : changes)
			++change;
}

void relation_changed(::Datum, Oid relation)
{
	++seen;
	count(relations, relation, !OidIsValid(relation));
	if (OidIsValid(relation) && relation != rule_table)
		return;
	++generation;
	rule_table = InvalidOid; // the extension may have been made anew
}

void function_changed(::Datum, int, uint32 hash)
{
	++seen;
	count(functions, hash, hash == 0);
}

// A message knows its channel, which may be dropped and made again.
void server_changed(::Datum, int, uint32)
{
	++generation;
}

// Somebody may have got or lost a privilege, by his own role or by one that he is a member of.
void rights_changed(::Datum, int, uint32)
{
	++seen;
	++rights;
}

} // namespace

void follow_definitions()
{
	CacheRegisterRelcacheCallback(relation_changed, 0);
	CacheRegisterSyscacheCallback(PROCOID, function_changed, 0);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, server_changed, 0);
	for (const int cache : {AUTHOID, AUTHMEMROLEMEM, NAMESPACEOID})
		CacheRegisterSyscacheCallback(cache, rights_changed, 0);
}

std::uint64_t definitions_generation()
{
	if (!OidIsValid(rule_table))
		rule_table = own_relation("rule");
	return generation;
}

std::uint64_t changes_seen()
{
	return seen;
}

void expire_definitions()
{
	++generation;
}

void announce_change_of_definitions()
{
	const Oid table = own_relation("rule");
	guard([&] { CacheInvalidateRelcacheByRelid(table); });
}

Datum announce_change_of_table(FunctionCallInfoBaseData *call)
{
	const auto *trigger = reinterpret_cast<const TriggerData *>(call->context);
	guard([&] { CacheInvalidateRelcache(trigger->tg_relation); });
	return 0;
}

void Basis::rest_on_relation(Oid relation)
{
	relations_.push_back(relation % counters);
}

void Basis::rest_on_table(const char *name)
{
	rest_on_relation(own_relation(name));
}

void Basis::rest_on_function(Oid function)
{
	const std::uint32_t hash =
		guard([&] { return GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(function)); });
	if (std::ranges::count(functions_, hash % counters) == 0)
		functions_.push_back(hash % counters);
}

std::uint64_t Basis::changes() const
{
	std::uint64_t sum = rights;
	for (const std::uint32_t relation : relations_)
		sum += relations[relation];
	for (const std::uint32_t function : functions_)
		sum += functions[function];
	return sum;
}

} // namespace automation::pg
