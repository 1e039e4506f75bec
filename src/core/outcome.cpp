#include "core/outcome.hpp"

#include "core/twilio.hpp"

#include <algorithm>

namespace automation::core {

namespace {

bool is_final(int http_status)
{
	return http_status >= 200;
}

bool is_transient(int http_status)
{
	return http_status == 408 || http_status == 425 || http_status == 429 || http_status >= 500;
}

// A server that says so in either protocol: 501 and 505 will not change their mind.
bool is_refusal_for_good(int http_status)
{
	return http_status == 501 || http_status == 505;
}

Verdict retry(std::string reason, std::optional<std::chrono::seconds> after = {})
{
	if (after)
		after = std::clamp(*after, std::chrono::seconds(0), longest_retry_after);
	return {.outcome = Outcome::retry, .reason = std::move(reason), .retry_after = after};
}

Verdict dead(std::string reason)
{
	return {.outcome = Outcome::dead, .reason = std::move(reason)};
}

Verdict not_sent(const Reply &reply)
{
	return retry(reply.error.empty() ? "the request was not sent" : reply.error, reply.retry_after);
}

Verdict no_answer(const Reply &reply)
{
	std::string reason = "sent, but no answer came";
	if (!reply.error.empty())
		reason += ": " + reply.error;
	return {.outcome = Outcome::unknown, .reason = std::move(reason)};
}

// A status line was seen: whatever went wrong after it does not matter.
Verdict judge_http_status(const Reply &reply)
{
	const std::string answer = "HTTP " + std::to_string(reply.status);
	if (reply.status < 300)
		return {.outcome = Outcome::delivered};
	if (reply.status < 400)
		return dead(answer + ": redirects are not followed; update the URL of the channel");
	if (reply.status == 410) {
		Verdict gone = dead(answer + ": the endpoint is gone");
		gone.endpoint_gone = true;
		return gone;
	}
	if (is_transient(reply.status) && !is_refusal_for_good(reply.status))
		return retry(answer, reply.retry_after);
	return dead(answer);
}

Verdict judge_http(const Reply &reply)
{
	if (is_final(reply.status))
		return judge_http_status(reply);
	return reply.request_left ? no_answer(reply) : not_sent(reply);
}

// 530, 534, 535 and 538 ask for another login: the channel is at fault, not the message.
bool is_login_answer(const Reply &reply)
{
	return reply.trouble == Reply::Trouble::login || reply.status == 530 || reply.status == 534 ||
		reply.status == 535 || reply.status == 538;
}

std::string smtp_answer(const Reply &reply)
{
	const std::string answer = "SMTP " + std::to_string(reply.status);
	return reply.error.empty() ? answer : answer + ": " + reply.error;
}

// 5.1.1 alone says that there is no such mailbox, and not that it is full, or we are unwelcome (RFC
// 3463).
bool is_unknown_mailbox(const Reply &reply)
{
	constexpr std::string_view code = "5.1.1";
	const std::string_view line = reply.body;
	if (reply.status / 100 != 5 || line.size() < 4 || line.substr(4, code.size()) != code)
		return false;
	return line.size() == 4 + code.size() || line[4 + code.size()] <= ' ';
}

Verdict bounced(const Reply &reply)
{
	Verdict verdict =
		dead("SMTP " + std::to_string(reply.status) + " 5.1.1: there is no such mailbox");
	verdict.opted_out = true;
	return verdict;
}

// 354 is the go-ahead for the message: as the last answer it leaves open what became of it.
Verdict judge_smtp(const Reply &reply)
{
	if (reply.trouble == Reply::Trouble::none)
		return {.outcome = Outcome::delivered};
	if (reply.message_left && reply.status == 354)
		return no_answer(reply);
	if (reply.message_left && reply.status / 100 == 2)
		return {.outcome = Outcome::delivered};
	if (is_login_answer(reply))
		return retry("login refused: " + smtp_answer(reply));
	if (is_unknown_mailbox(reply))
		return bounced(reply);
	if (reply.status / 100 == 5)
		return dead(smtp_answer(reply));
	return reply.status / 100 == 4 ? retry(smtp_answer(reply)) : not_sent(reply);
}

} // namespace

Verdict judge(const Reply &reply, std::string_view provider)
{
	if (reply.protocol == Reply::Protocol::smtp)
		return judge_smtp(reply);
	const Verdict verdict = judge_http(reply);
	return provider == "twilio" ? judge_twilio(verdict, reply) : verdict;
}

} // namespace automation::core
