#include "engine/message.hpp"

#include "pg/json.hpp"

namespace automation::engine {

namespace {

constexpr std::size_t longest_recipient = 2'000; // bytes; an index has room for it

bool is_blank(const std::string &text)
{
	return text.find_first_not_of(" \t\r\n") == text.npos;
}

// Why the recipient does not want to hear it; empty when nothing speaks against it.
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
	for (const std::string &recipient : recipients_of(rule, step, message, record)) {
		const std::string problem = consent_problem(step.channel_kind, recipient, *message);
		if (!problem.empty()) {
			record.reason = problem;
			continue;
		}
		record.deliveries.push_back(write_delivery({run.id, step.number, rule.owner, step.server,
			step.channel, step.channel_kind, recipient, *message,
			step.wait && !step.wait->by_difference ? step.wait->cancelled_by
												   : std::vector<int>()}));
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
