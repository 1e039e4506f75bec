#include "engine/backfill.hpp"

#include "engine/agenda.hpp"
#include "engine/cascade.hpp"
#include "engine/run.hpp"
#include "pg/identity.hpp"

#include <vector>

namespace automation::engine {

namespace {

using pg::Value;

struct Candidate {
	int rule, version, source;
	std::string row; // JSON
};

std::vector<Candidate> next_candidates()
{
	static pg::Statement statement(
		"SELECT rule_id, version, entity_id, record FROM automation._backfill()");
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

void look_at(const Candidate &candidate)
{
	const Cascade::Root root;
	const Rulebook book;
	Chapter &chapter = book.chapter(candidate.source);
	Rule *rule = chapter.find(candidate.rule, candidate.version);
	if (!rule || !rule->is_active)
		return;
	const pg::RowChange row = change_from_json(chapter, *rule, candidate.row);
	const std::string key = key_text(chapter, *rule, row);
	if (has_fired(*rule, key))
		return;
	meet(chapter, *rule, row, "activated");
	if (has_fired(*rule, key))
		count_fired(*rule);
}

} // namespace

int backfill()
{
	const std::vector<Candidate> candidates = next_candidates();
	for (const Candidate &candidate : candidates)
		if (const auto error = pg::subtransaction([&] { look_at(candidate); }))
			error->log_warning();
	return static_cast<int>(candidates.size());
}

} // namespace automation::engine
