#include "worker/letter.hpp"

#include "pg/fields.hpp"
#include "pg/json.hpp"
#include "worker/array.hpp"

#include <string>

namespace automation::worker {

using pg::Rows;
using pg::Statement;

namespace {

std::string utf8_at(const Rows &rows, std::uint64_t row, int column)
{
	return pg::to_utf8(rows.text(row, column).value_or("")).value_or("?");
}

core::Invite read_invite(const Rows &rows, std::uint64_t row)
{
	core::Invite invite{.uid = utf8_at(rows, row, 5),
		.sequence = rows.integer(row, 6),
		.is_cancelled = rows.boolean(row, 7),
		.made = utf8_at(rows, row, 8),
		.start = utf8_at(rows, row, 9),
		.end = utf8_at(rows, row, 10),
		.summary = utf8_at(rows, row, 11),
		.location = utf8_at(rows, row, 12),
		.description = utf8_at(rows, row, 13),
		.attendees = {}};
	for (const auto &attendee : pg::json_texts(rows.datum(row, 14), "recipient"))
		if (attendee && !attendee->empty())
			invite.attendees.push_back(*attendee);
	return invite;
}

} // namespace

void enclose(std::vector<Claim> &claims)
{
	static Statement find(R"(
		SELECT c.place, t.name, t.type, t.content, i.uid, i.sequence, i.method = 'cancel', i.made, i.start, i."end",
			i.summary, i.location, i.description, d.message, a.id IS NOT NULL
		FROM unnest($1::bigint[]) WITH ORDINALITY AS c (id, place)
		JOIN automation.delivery AS d ON d.id = c.id
		LEFT JOIN LATERAL jsonb_array_elements(d.message -> 'attachments') WITH ORDINALITY AS a (id, place) ON true
		LEFT JOIN automation.document AS t ON t.id = a.id::bigint
		LEFT JOIN LATERAL jsonb_to_record(d.message -> 'invite') AS i (uid text, sequence integer, method text,
			made text, start text, "end" text, summary text, location text, description text) ON true
		ORDER BY c.place, a.place)");
	Array ids;
	std::vector<Claim *> letters;
	for (Claim &claim : claims)
		if (claim.encloses) {
			ids.add(claim.delivery);
			letters.push_back(&claim);
		}
	if (letters.empty())
		return;
	const Rows rows = find.execute({ids.value()});
	for (std::uint64_t row = 0; row < rows.size(); ++row) {
		core::Message &message =
			letters.at(static_cast<std::size_t>(rows.integer(row, 1)) - 1)->message;
		if (!rows.is_null(row, 5))
			message.invite = read_invite(rows, row);
		if (rows.boolean(row, 15))
			message.attachments.push_back(
				{utf8_at(rows, row, 2), utf8_at(rows, row, 3), rows.bytes(row, 4)});
	}
}

} // namespace automation::worker
