// The fields that the templates of the tests may use: one of each category.
#pragma once

#include "core/failure.hpp"
#include "core/template.hpp"

#include <string>

namespace automation::core {

class CrmFields : public Resolver {
public:
	MergeField resolve(const Path &path) override
	{
		++lookups;
		const std::string name = to_string(path);
		if (name == "customer.first_name" || name == "name" || name == "customer[\"First Name\"]")
			return {"r.name", Category::text};
		if (name == "new.amount")
			return {"new.amount", Category::number};
		if (name == "vip")
			return {"new.vip", Category::boolean};
		if (name == "due")
			return {"new.due", Category::date};
		if (name == "planned_at")
			return {"new.planned_at", Category::timestamp};
		if (name == "created_at")
			return {"new.created_at", Category::timestamptz};
		if (name == "data")
			return {"new.data", Category::json};
		if (name == "status")
			return {"new.status", Category::other};
		throw Failure(
			"42703", "merge field \"" + name + "\" does not exist", {.position = path.position});
	}

	void check_time_zone(const std::string &name) override
	{
		if (name != "Europe/Berlin")
			throw Failure("22023", "time zone \"" + name + "\" not recognized");
	}

	int lookups = 0;
};

} // namespace automation::core
