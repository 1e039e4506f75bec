#include "engine/bulk.hpp"

#include "engine/cascade.hpp"
#include "engine/ledger.hpp"
#include "engine/run.hpp"
#include "pg/identity.hpp"

#include <vector>

namespace automation::engine {

namespace {

using pg::Value;

std::vector<Held> next_matches()
{
	static pg::Statement statement(
		"SELECT batch_id, rule_id, entity_id, event, key, old FROM automation._release()");
	pg::Spi spi;
	const pg::Rows found = statement.execute({});
	std::vector<Held> matches;
	for (std::uint64_t i = 0; i < found.size(); ++i)
		matches.push_back({found.integer(i, 1), static_cast<int>(found.integer(i, 2)),
			static_cast<int>(found.integer(i, 3)), found.text(i, 4).value_or(""),
			found.text(i, 5).value_or(""), found.text(i, 6)});
	return matches;
}

void hold_again(const Held &match)
{
	static pg::Statement statement("SELECT automation._hold_again(ROW(NULL, $1, $2, $3, $4, $5, "
								   "$6)::automation.held)");
	pg::Spi spi;
	statement.execute({Value::int8(match.batch), Value::int4(match.rule), Value::int4(match.source),
		Value::text(match.event), Value::text(match.key), Value::text_or_null(match.old)});
}

int last_version(int rule)
{
	static pg::Statement find("SELECT coalesce(max(version), 0) FROM automation.rule_version "
							  "WHERE rule_id = $1");
	pg::Spi spi;
	return static_cast<int>(find.execute({Value::int4(rule)}).integer(0, 1));
}

// There is no rule, or no row, to make a run of.
void record(const Held &match, const char *status, const std::string &reason)
{
	write_run({.id = next_run(),
		.rule = match.rule,
		.version = last_version(match.rule),
		.subject = match.source,
		.key = match.key,
		.event = "released",
		.status = status,
		.reason = reason});
}

// As if the row had been so before the change, and the change were made now.
pg::Datum old_row(Chapter &chapter, const Held &match, pg::Datum row)
{
	const pg::ActAs identity(chapter.owner(), pg::ActAs::Manner::restricted, pg::system_path);
	std::string old;
	{
		pg::Spi spi;
		old = spi.execute(identity, "SELECT pg_catalog.to_jsonb($1) || $2",
					 {Value::datum(row, chapter.type->type()),
						 Value::parse(Value::Type::jsonb, *match.old)})
				  .text(0, 1)
				  .value();
	}
	return pg::row_from_json(identity, chapter.type->type(), old);
}

pg::RowChange change_now(Chapter &chapter, const Held &match, const pg::RowFinder::Row &row)
{
	if (!match.old)
		return pg::change_of(*chapter.type, pg::Event::insert, std::nullopt, row.value, row.place);
	return pg::change_of(
		*chapter.type, pg::Event::update, old_row(chapter, match, row.value), row.value, row.place);
}

pg::RowChange deletion(const Chapter &chapter, const Held &match)
{
	const pg::ActAs identity(chapter.owner(), pg::ActAs::Manner::restricted, pg::system_path);
	return pg::change_of(*chapter.type, pg::Event::remove,
		pg::row_from_json(identity, chapter.type->type(), *match.old), std::nullopt);
}

void meet_again(Chapter &chapter, Rule &rule, const pg::RowChange &change)
{
	if (!meet(chapter, rule, change, "released"))
		write_suppressed(
			chapter, rule, change, "released", "bulk: no longer applied when it was released");
}

// False: somebody else has locked what it needs.
bool look_at(const Held &match)
{
	const Rulebook book;
	Chapter &chapter = book.chapter(match.source);
	Rule *rule = chapter.type ? chapter.present(match.rule) : nullptr;
	if (!rule)
		return record(match, "cancelled", "bulk: rule is not active any more"), true;
	if (!rule->is_active) // paused
		return false;
	const InHand in_hand(*rule);
	if (match.event == event_name(pg::Event::remove))
		return meet_again(chapter, *rule, deletion(chapter, match)), true;
	const std::optional<pg::RowFinder::Row> locked = chapter.rows().lock(match.key);
	if (locked)
		return meet_again(chapter, *rule, change_now(chapter, match, *locked)), true;
	if (chapter.rows().find(match.key))
		return false;
	return record(match, "cancelled", "bulk: row deleted"), true;
}

void see_to(const Held &match)
{
	const Cascade::Root root(true);
	bool done = true;
	const auto error = pg::subtransaction([&] { done = look_at(match); });
	if (error && !Cascade::current().gives_way_to(*error))
		record(match, "failed", error->message());
	else if (error || !done)
		hold_again(match);
}

} // namespace

int release()
{
	const std::vector<Held> matches = next_matches();
	for (const Held &match : matches)
		see_to(match);
	return static_cast<int>(matches.size());
}

} // namespace automation::engine
