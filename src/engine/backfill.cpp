#include "engine/backfill.hpp"

#include "engine/cascade.hpp"
#include "engine/run.hpp"
#include "pg/identity.hpp"

#include <vector>

namespace automation::engine {

namespace {

using pg::Value;

struct Candidate {
	int rule, version, source;
	std::string key; // of the row of the source
};

std::vector<Candidate> next_candidates()
{
	static pg::Statement statement(
		"SELECT rule_id, version, entity_id, key FROM automation._backfill()");
	pg::Spi spi;
	const pg::Rows found = statement.execute({});
	std::vector<Candidate> candidates;
	for (std::uint64_t i = 0; i < found.size(); ++i)
		candidates.push_back(
			{static_cast<int>(found.integer(i, 1)), static_cast<int>(found.integer(i, 2)),
				static_cast<int>(found.integer(i, 3)), found.text(i, 4).value_or("")});
	return candidates;
}

// Since the rule was activated, by a change that came in the meantime.
bool has_fired(const Rule &rule, const std::string &key)
{
	static pg::Statement statement("SELECT automation._has_fired($1, $2, $3)");
	pg::Spi spi;
	return statement.execute({Value::int4(rule.id), Value::int4(rule.subject), Value::text(key)})
		.boolean(0, 1);
}

void count_fired(const Rule &rule)
{
	static pg::Statement statement("SELECT automation._count_fired($1)");
	pg::Spi spi;
	statement.execute({Value::int4(rule.id)});
}

// Its turn comes again.
void miss(const Candidate &candidate)
{
	static pg::Statement statement("SELECT automation._missed($1, $2)");
	pg::Spi spi;
	statement.execute({Value::int4(candidate.rule), Value::text(candidate.key)});
}

// False: somebody else has locked what it needs.
bool look_at(const Candidate &candidate)
{
	const Rulebook book;
	Chapter &chapter = book.chapter(candidate.source);
	Rule *rule = chapter.find(candidate.rule, candidate.version);
	if (!rule || rule->state == State::disabled)
		return true;
	if (!rule->is_active) // paused, or altered, since
		return false;
	const std::optional<pg::RowFinder::Row> locked = chapter.rows().lock(candidate.key);
	if (!locked)
		return !chapter.rows().find(candidate.key); // it is gone
	const InHand in_hand(*rule);
	const pg::RowChange row =
		pg::change_of(*chapter.type, pg::Event::insert, std::nullopt, locked->value, locked->place);
	const std::string key = key_text(chapter, *rule, row);
	if (has_fired(*rule, key))
		return true;
	meet(chapter, *rule, row, "activated");
	if (has_fired(*rule, key))
		count_fired(*rule);
	return true;
}

void see_to(const Candidate &candidate)
{
	const Cascade::Root root(true);
	bool done = true;
	const auto error = pg::subtransaction([&] { done = look_at(candidate); });
	if (error && !Cascade::current().gives_way_to(*error))
		error->log_warning();
	else if (error || !done)
		miss(candidate);
}

} // namespace

int backfill()
{
	const std::vector<Candidate> candidates = next_candidates();
	for (const Candidate &candidate : candidates)
		see_to(candidate);
	return static_cast<int>(candidates.size());
}

} // namespace automation::engine
