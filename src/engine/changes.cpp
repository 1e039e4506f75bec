#include "engine/changes.hpp"

#include "engine/ledger.hpp"
#include "pg/fields.hpp"
#include "pg/identity.hpp"
#include "pg/json.hpp"
#include "pg/json_builder.hpp"

namespace automation::engine {

namespace {

void add_clipped(pg::JsonBuilder &values, const std::optional<std::string> &text)
{
	if (text)
		values.text(pg::clipped(*text, longest_logged_value));
	else
		values.null();
}

} // namespace

pg::Value changes_of(const Rule &rule, const pg::RowChange &change)
{
	if (change.event() != pg::Event::update || rule.watched().empty())
		return pg::Value::null(pg::Value::Type::jsonb);
	const pg::OrdinarySettings settings(pg::OrdinarySettings::Need::all);
	pg::JsonBuilder changes;
	changes.begin_object();
	for (const int column : rule.watched()) {
		changes.key(change.type().column_name(column)).begin_array();
		add_clipped(changes, change.old_text(column));
		add_clipped(changes, change.new_text(column));
		changes.end_array();
	}
	return changes.end_object().finish();
}

} // namespace automation::engine
