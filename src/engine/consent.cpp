#include "engine/consent.hpp"

#include "pg/json.hpp"

namespace automation::engine {

std::string consent_problem(
	const std::string &kind, const std::string &recipient, pg::Datum message)
{
	if (kind == "webhook")
		return {};
	static pg::Statement problem(
		"SELECT automation._consent_problem($1, $2, coalesce($3 ->> 'class', 'transactional'))");
	pg::Spi spi;
	return problem
		.execute({pg::Value::text(kind), pg::Value::text(recipient),
			pg::Value::datum(message, pg::jsonb_type)})
		.text(0, 1)
		.value_or("");
}

} // namespace automation::engine
