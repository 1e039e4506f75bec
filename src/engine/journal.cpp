#include "engine/journal.hpp"

#include "engine/cascade.hpp"
#include "engine/ledger.hpp"
#include "pg/identity.hpp"
#include "pg/settings.hpp"

namespace automation::engine {

std::optional<std::string> row_json(const Chapter &chapter, std::optional<pg::Datum> row)
{
	if (!row)
		return std::nullopt;
	// A column's type may bring code of its owner with it: a cast to json.
	const pg::ActAs identity(chapter.owner(), pg::ActAs::Manner::restricted, pg::system_path);
	const pg::OrdinarySettings settings(pg::OrdinarySettings::Need::all);
	pg::Spi spi;
	return spi
		.execute(identity, "SELECT pg_catalog.to_jsonb($1)",
			{pg::Value::datum(*row, chapter.type->type())})
		.text(0, 1);
}

int Journal::keepers_ = 0;

bool Journal::is_kept()
{
	return pg::settings::journal || keepers_ > 0;
}

void Journal::note(const Chapter &chapter, const pg::RowChange &change)
{
	write_event({chapter.entity, chapter.key_of(change), event_name(change.event()),
		row_json(chapter, change.old_value()), row_json(chapter, change.new_value()),
		Cascade::current().cause()});
}

} // namespace automation::engine
