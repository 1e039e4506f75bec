#include "worker/flight.hpp"

#include "core/answer.hpp"
#include "core/failure.hpp"
#include "core/provider.hpp"
#include "pg/fields.hpp"
#include "pg/hmac.hpp"
#include "pg/process.hpp"

#include <string_view>

namespace automation::worker {

namespace {

constexpr std::size_t longest_reason = 500;
constexpr std::size_t longest_provider_id = 100;
constexpr std::size_t longest_response = std::size_t{2} * 1024;

std::string kept(const Flight &flight, const std::string &text, std::size_t most_bytes)
{
	const core::Characters characters =
		pg::database_is_utf8() ? core::Characters::utf8 : core::Characters::ascii;
	return core::storable(
		core::redact(text, flight.username, flight.secrets), characters, most_bytes);
}

} // namespace

Flight begin_flight(const Claim &claim, const Contact &contact, const Course &course)
{
	return {.attempt = claim.attempt,
		.delivery = claim.delivery,
		.origin = claim.origin,
		.number = claim.number,
		.server = claim.server,
		.priority = claim.priority,
		.ordered = claim.ordered,
		.provider = core::provider_of(contact.channel),
		.course = course,
		.policy = claim.policy,
		.expires_in = claim.expires_in,
		.username = contact.channel.credential("username"),
		.secrets = contact.secrets,
		.started = std::chrono::steady_clock::now()};
}

core::Request request_for(const Claim &claim, const Contact &contact)
{
	if (contact.problem)
		throw core::Failure(*contact.problem);
	if (!claim.readable)
		throw core::Failure("22021", "message is not text in UTF-8");
	return core::make_request(contact.channel, claim.message, claim.now, pg::hmac_sha256);
}

// A channel can be mended and the message sent then; a dropped channel, or a message that the
// channel cannot carry, never will be.
core::Verdict verdict_on(const core::Failure &failure, const Contact &contact)
{
	const std::string_view state = failure.sqlstate;
	const bool gone = state == "42704";
	const bool message_at_fault = !contact.problem && state.starts_with("22");
	return {.outcome = gone || message_at_fault ? core::Outcome::dead : core::Outcome::retry,
		.reason = failure.what()};
}

Settlement land(const Flight &flight, const core::Verdict &verdict, const core::Reply &reply)
{
	const std::uint64_t random =
		verdict.outcome == core::Outcome::delivered ? 0 : pg::random_number();
	const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
		std::chrono::steady_clock::now() - flight.started);
	const auto expires_in =
		flight.expires_in ? std::optional(*flight.expires_in - elapsed) : std::nullopt;
	const core::Decision decision =
		core::decide(verdict, flight.number, flight.policy, random, expires_in);
	return {.attempt = flight.attempt,
		.delivery = flight.delivery,
		.origin = flight.origin,
		.server = flight.server,
		.priority = flight.priority,
		.ordered = flight.ordered,
		.outcome = decision.outcome,
		.status = reply.status,
		.reason = kept(flight, decision.reason, longest_reason),
		.response = kept(flight, reply.body, longest_response),
		.elapsed = elapsed,
		.retry_in = decision.retry_in,
		.pause_channel = verdict.endpoint_gone,
		.opted_out = verdict.opted_out,
		.provider_id = kept(flight, verdict.provider_id, longest_provider_id)};
}

} // namespace automation::worker
