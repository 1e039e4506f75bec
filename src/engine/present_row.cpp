#include "engine/present_row.hpp"

#include "engine/cascade.hpp"
#include "pg/identity.hpp"

namespace automation::engine {

namespace {

// For who knows a row by nothing but its key. Locks it: it stays there.
pg::Place find_row(int entity, const std::string &key)
{
	static pg::Statement place_of("SELECT table_id, place FROM automation._place($1, $2)");
	const pg::ActAs identity = pg::ActAs::engine();
	pg::Spi spi;
	const pg::Rows found = place_of.execute({pg::Value::int4(entity), pg::Value::text(key)});
	if (found.size() == 0)
		return {};
	return pg::place_of(static_cast<pg::Oid>(found.integer(0, 1)), found.datum(0, 2));
}

} // namespace

void PresentRow::look(bool will_be_changed)
{
	if (change_.event() == pg::Event::remove)
		return;
	const bool matters = will_be_changed || has_looked_;
	has_looked_ = true;
	const pg::Place &last = image().place();
	if (found_at(last) || found_at(Cascade::current().moved_to(pg::last_version(last))))
		return;
	if (matters && is_subject_) {
		const pg::Place place = find_row(entity_, key_);
		if (!found_at(place))
			now_.emplace(image().placed(place));
	}
}

bool PresentRow::found_at(const pg::Place &place)
{
	const std::optional<pg::RowChange> row = image().read_at(place);
	if (row)
		now_.emplace(*row);
	return row.has_value();
}

} // namespace automation::engine
