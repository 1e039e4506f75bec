#include "worker/stored.hpp"

#include "pg/fields.hpp"
#include "pg/json.hpp"
#include "pg/volume.hpp"

namespace automation::worker {

using pg::Reading;
using pg::Value;

namespace {

// A server that was set back, or goes on without the last moments of another, gives a number to a
// second message, but not at the same time.
std::string id_of(const Stored &stored)
{
	return std::to_string(stored.id) + "_" + std::to_string(pg::unix_microseconds(stored.at));
}

core::Message read_message(const Reading &row, const pg::JsonObject &json, Stored &stored)
{
	const auto utf8 = [&](std::optional<std::string> text) {
		std::optional<std::string> converted = pg::to_utf8(std::move(text).value_or(""));
		stored.readable = stored.readable && converted;
		return std::move(converted).value_or("");
	};
	const bool is_webhook = stored.kind == core::Kind::webhook;
	core::Message message;
	message.id = id_of(stored);
	message.recipient = utf8(row.text(delivery::recipient));
	message.body = utf8(is_webhook ? json.json("body") : json.text("body"));
	message.subject = utf8(json.text("subject"));
	message.html = utf8(json.text("html"));
	message.path = utf8(json.text("path"));
	message.method = utf8(json.text("method"));
	message.reply_to = utf8(json.text("reply_to"));
	if (const pg::Datum headers = json.member("headers"))
		message.headers = pg::json_entries(headers);
	return message;
}

// As automation._erased_message() leaves it.
bool is_erased(const pg::JsonObject &json)
{
	return json.size() == 1 && json.text("erased") == "true";
}

} // namespace

Stored stored_at(const Reading &row)
{
	const pg::JsonObject json(row.datum(delivery::message));
	Stored stored{.id = row.integer(delivery::id),
		.transaction = static_cast<std::uint64_t>(row.integer(delivery::transaction)),
		.at = row.integer(delivery::at),
		.origin = {.run = row.integer(delivery::run),
			.step = static_cast<int>(row.integer(delivery::step))},
		.sender = static_cast<pg::Oid>(row.integer(delivery::sender)),
		.kind =
			core::kind_named(row.text(delivery::kind).value_or("")).value_or(core::Kind::webhook),
		.message = {},
		.policy = {},
		.is_ordered = json.text("ordered") == "true",
		.is_watched = !row.is_null(delivery::watched),
		.is_erased = is_erased(json),
		.is_test = json.has("test"),
		.encloses = json.has("attachments") || json.has("invite")};
	stored.message = read_message(row, json, stored);
	if (const pg::Datum policy = json.member("delivery"))
		stored.policy = pg::json_entries(policy);
	return stored;
}

// What is worked on lies together, as a rule where the last was found.
std::vector<Stored> stored(const std::vector<std::int64_t> &ids)
{
	static int last_hit = 0;
	std::vector<Stored> found;
	std::vector<std::int64_t> left = ids;
	const int first = last_hit;
	for (int i = 0; i < pg::volumes && !left.empty(); ++i) {
		const int volume = (first + pg::volumes - i) % pg::volumes;
		Reading rows({"delivery", volume}, {delivery::id});
		std::erase_if(left, [&](std::int64_t id) {
			rows.seek({Value::int8(id)});
			const bool is_here = rows.next();
			if (is_here) {
				found.push_back(stored_at(rows));
				last_hit = volume;
			}
			return is_here;
		});
	}
	return found;
}

} // namespace automation::worker
