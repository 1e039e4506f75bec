#include "engine/message.hpp"

#include "pg/json.hpp"

namespace automation::engine {

namespace {

constexpr std::size_t longest_recipient = 2'000; // bytes; an index has room for it

bool is_blank(const std::string &text)
{
	return text.find_first_not_of(" \t\r\n") == text.npos;
}

std::string option(pg::Datum message, const char *name, const char *otherwise)
{
	const auto given = pg::json_texts(message, name);
	return given.empty() ? otherwise : given.front().value_or(otherwise);
}

// Why the recipient does not want to hear it; empty when nothing speaks against it.
std::string consent_problem(
	const std::string &kind, const std::string &recipient, const std::string &message_class)
{
	if (kind == "webhook")
		return {};
	static pg::Statement problem("SELECT automation._consent_problem($1, $2, $3)");
	pg::Spi spi;
	return problem
		.execute(
			{pg::Value::text(kind), pg::Value::text(recipient), pg::Value::text(message_class)})
		.text(0, 1)
		.value_or("");
}

// Attachments become numbers of documents, an invitation gets its place in the sequence.
bool has_enclosures(const Step &step, pg::Datum message)
{
	return step.channel_kind == "email" &&
		(pg::has_key(message, "attachments") || pg::has_key(message, "invite"));
}

pg::Datum with_enclosures(
	const Rule &rule, const Step &step, const RunRecord &run, pg::Datum message)
{
	static pg::Statement finish("SELECT automation._with_enclosures($1, $2::oid, $3, $4, $5, $6)");
	return finish
		.execute({pg::Value::datum(message, pg::jsonb_type), pg::Value::oid(rule.owner),
			pg::Value::int8(run.id), pg::Value::int2(step.number), pg::Value::int4(run.subject),
			pg::Value::text(run.key)})
		.datum(0, 1);
}

// The mark goes with the message: it stays unsent when the rule is in earnest again.
pg::Datum marked_as_test(pg::Datum message)
{
	static pg::Statement mark("SELECT $1 || '{\"test\": true}'");
	return mark.execute({pg::Value::datum(message, pg::jsonb_type)}).datum(0, 1);
}

} // namespace

std::vector<std::string> recipients_of(
	const Rule &rule, const Step &step, std::optional<pg::Datum> message, StepRecord &record)
{
	const auto given =
		message ? pg::json_texts(*message, "recipient") : std::vector<std::optional<std::string>>();
	const std::string subject = "recipient of step " + std::to_string(step.number);
	std::vector<std::string> recipients;
	for (const std::optional<std::string> &recipient : given) {
		if (!recipient || (step.channel_kind != "webhook" && is_blank(*recipient)))
			continue;
		if (recipient->size() > longest_recipient)
			pg::fail("22001",
				subject + " is longer than " + std::to_string(longest_recipient) + " bytes");
		recipients.push_back(*recipient);
	}
	if (recipients.empty())
		pg::fail("22004", subject + (given.empty() || !given.front() ? " is null" : " is empty"));
	if (recipients.size() < given.size())
		record.reason = subject +
			" is missing: " + std::to_string(given.size() - recipients.size()) + " of " +
			std::to_string(given.size());
	if (!record.reason.empty() && rule.fails_the_write)
		pg::fail("22004", record.reason);
	return recipients;
}

void send(const Rule &rule, const Step &step, const RunRecord &run,
	std::optional<pg::Datum> message, StepRecord &record)
{
	if (step.server == 0)
		pg::fail("42704", "server \"" + step.channel + "\" does not exist");
	const std::vector<std::string> recipients = recipients_of(rule, step, message, record);
	const std::string message_class = option(*message, "class", "transactional");
	const bool ordered = option(*message, "ordered", "false") == "true";
	std::optional<pg::Spi> spi; // what it answers is needed until the end
	if (rule.in_test || has_enclosures(step, *message))
		spi.emplace();
	if (has_enclosures(step, *message))
		message = with_enclosures(rule, step, run, *message);
	if (rule.in_test)
		message = marked_as_test(*message);
	for (const std::string &recipient : recipients) {
		const std::string problem = consent_problem(step.channel_kind, recipient, message_class);
		if (!problem.empty()) {
			record.reason = problem;
			continue;
		}
		const Delivery delivery{run.id, step.number, rule.owner, step.server, step.channel,
			step.channel_kind, recipient, core::priority_of(message_class), *message,
			step.wait && !step.wait->by_difference ? step.wait->cancelled_by : std::vector<int>()};
		record.deliveries.push_back(write_delivery(delivery));
		if (ordered)
			write_place(record.deliveries.back(), delivery, run);
	}
	record.status = record.deliveries.empty() ? "suppressed" : "delivering";
}

void record_consent(std::optional<pg::Datum> decision)
{
	static pg::Statement record(
		"SELECT automation._set_consent(current_user::regrole, $1 ->> 'kind', $1 ->> 'address', "
		"$1 ->> 'class', $1 ->> 'state', $1 ->> 'source')");
	pg::Spi spi;
	record.execute({decision ? pg::Value::datum(*decision, pg::jsonb_type)
							 : pg::Value::null(pg::Value::Type::jsonb)});
}

} // namespace automation::engine
