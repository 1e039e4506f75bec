// The row of an event as it is by now, whoever has changed it since: a step, another rule, a
// trigger.
#pragma once

#include "pg/row.hpp"

#include <optional>
#include <string>

namespace automation::engine {

class PresentRow {
public:
	// is_subject: the rule is about this row, which key names, and not about one that it leads to.
	PresentRow(const pg::RowChange &change, const std::string &key, int entity, bool is_subject)
		: change_(change), key_(key), entity_(entity), is_subject_(is_subject)
	{
	}

	const pg::RowChange &image() const { return now_ ? *now_ : change_; }
	// Looks where the row is and what it says. If that is not known, as for a row that came from
	// JSON, it is only found out when it matters: to be changed, or after the first look.
	void look(bool will_be_changed);

private:
	bool found_at(const pg::Place &place);

	const pg::RowChange &change_;
	const std::string &key_;
	int entity_;
	bool is_subject_;
	bool has_looked_ = false;
	std::optional<pg::RowChange> now_ = {};
};

} // namespace automation::engine
