#include "core/outcome.hpp"

#include <gtest/gtest.h>

using namespace automation::core;
using std::chrono::seconds;

namespace {

using Trouble = Reply::Trouble;

Reply http(int status, Trouble trouble = Trouble::none)
{
	return {.protocol = Reply::Protocol::http,
		.trouble = trouble,
		.error = trouble == Trouble::none ? "" : "trouble",
		.status = status,
		.request_left = true};
}

Reply never_left(Trouble trouble)
{
	Reply reply = http(0, trouble);
	reply.request_left = false;
	return reply;
}

Reply smtp(int status, Trouble trouble = Trouble::network)
{
	return {.protocol = Reply::Protocol::smtp,
		.trouble = trouble,
		.error = "RCPT failed",
		.status = status};
}

Reply smtp_with_message(int status)
{
	Reply reply = smtp(status);
	reply.message_left = true;
	return reply;
}

Verdict said(const Reply &reply)
{
	return judge(reply, "http");
}

} // namespace

TEST(Outcome, nothing_was_sent)
{
	EXPECT_EQ(said(never_left(Trouble::network)).outcome, Outcome::retry);
	EXPECT_EQ(said(never_left(Trouble::encryption)).outcome, Outcome::retry);
	EXPECT_EQ(said(never_left(Trouble::network)).reason, "trouble");
}

TEST(Outcome, no_answer_to_what_was_sent_is_unknown)
{
	const Verdict verdict = said(http(0, Trouble::network));
	EXPECT_EQ(verdict.outcome, Outcome::unknown);
	EXPECT_EQ(verdict.reason, "sent, but no answer came: trouble");
	EXPECT_EQ(said(http(103, Trouble::network)).outcome, Outcome::unknown);
}

TEST(Outcome, a_status_counts_whatever_happened_after_it)
{
	for (const Trouble trouble : {Trouble::none, Trouble::network}) {
		EXPECT_EQ(said(http(200, trouble)).outcome, Outcome::delivered);
		EXPECT_EQ(said(http(202, trouble)).outcome, Outcome::delivered);
		EXPECT_EQ(said(http(503, trouble)).outcome, Outcome::retry);
		EXPECT_EQ(said(http(404, trouble)).outcome, Outcome::dead);
	}
	EXPECT_EQ(said(http(200)).reason, "");
}

TEST(Outcome, transient_statuses)
{
	for (const int status : {408, 425, 429, 500, 502, 503, 504, 507, 520})
		EXPECT_EQ(said(http(status)).outcome, Outcome::retry) << status;
	EXPECT_EQ(said(http(503)).reason, "HTTP 503");
}

TEST(Outcome, permanent_statuses)
{
	for (const int status : {400, 401, 403, 404, 405, 413, 422, 501, 505})
		EXPECT_EQ(said(http(status)).outcome, Outcome::dead) << status;
	for (const int status : {301, 302, 307, 308, 304}) {
		EXPECT_EQ(said(http(status)).outcome, Outcome::dead) << status;
		EXPECT_NE(said(http(status)).reason.find("update the URL"), std::string::npos);
	}
}

TEST(Outcome, gone_pauses_the_channel)
{
	EXPECT_EQ(said(http(410)).outcome, Outcome::dead);
	EXPECT_TRUE(said(http(410)).endpoint_gone);
	EXPECT_FALSE(said(http(404)).endpoint_gone);
}

TEST(Outcome, retry_after_is_honoured_up_to_a_day)
{
	Reply reply = http(429);
	EXPECT_FALSE(said(reply).retry_after.has_value());
	reply.retry_after = seconds(17);
	EXPECT_EQ(said(reply).retry_after, seconds(17));
	reply.retry_after = seconds(1'000'000);
	EXPECT_EQ(said(reply).retry_after, longest_retry_after);
	reply.retry_after = seconds(-5);
	EXPECT_EQ(said(reply).retry_after, seconds(0));
	reply.status = 200;
	EXPECT_FALSE(said(reply).retry_after.has_value());
}

TEST(Outcome, smtp_answers)
{
	EXPECT_EQ(said(smtp(250, Trouble::none)).outcome, Outcome::delivered);
	EXPECT_EQ(said(smtp(450)).outcome, Outcome::retry);
	EXPECT_EQ(said(smtp(421)).outcome, Outcome::retry);
	EXPECT_EQ(said(smtp(550)).outcome, Outcome::dead);
	EXPECT_EQ(said(smtp(550)).reason, "SMTP 550: RCPT failed");
	EXPECT_EQ(said(smtp(250)).outcome, Outcome::retry) << "lost at RCPT: the message was not sent";
	EXPECT_EQ(said(smtp(0)).outcome, Outcome::retry);
	EXPECT_EQ(said(smtp(354)).outcome, Outcome::retry) << "lost before the final dot";
}

TEST(Outcome, no_such_mailbox)
{
	const auto answered = [](int status, const char *line) {
		Reply reply = smtp(status);
		reply.body = line;
		return said(reply);
	};
	EXPECT_EQ(answered(550, "550 5.1.1 <lena@firm.example>: no such user").outcome, Outcome::dead);
	EXPECT_TRUE(answered(550, "550 5.1.1 <lena@firm.example>: no such user").opted_out);
	EXPECT_TRUE(answered(550, "550 5.1.1\r\n").opted_out);
	EXPECT_TRUE(answered(553, "553 5.1.1").opted_out);
	EXPECT_EQ(answered(550, "550 5.1.1 <lena@firm.example>: no such user").reason,
		"SMTP 550 5.1.1: there is no such mailbox")
		<< "which is kept longer than the address may be";
	EXPECT_FALSE(answered(550, "550 5.1.10 null MX").opted_out);
	EXPECT_FALSE(answered(550, "550 5.7.1 5.1.1 unwelcome").opted_out);
	EXPECT_FALSE(answered(552, "552 5.2.2 mailbox full").opted_out);
	EXPECT_FALSE(answered(550, "550 no such user").opted_out) << "may be anything";
	EXPECT_FALSE(answered(450, "450 5.1.1 later").opted_out);
	EXPECT_FALSE(answered(550, "550").opted_out);
	EXPECT_FALSE(answered(550, "").opted_out);
}

TEST(Outcome, smtp_after_the_message)
{
	EXPECT_EQ(said(smtp_with_message(354)).outcome, Outcome::unknown);
	EXPECT_EQ(said(smtp_with_message(451)).outcome, Outcome::retry);
	EXPECT_EQ(said(smtp_with_message(554)).outcome, Outcome::dead);
	EXPECT_EQ(said(smtp_with_message(250)).outcome, Outcome::delivered);
}

TEST(Outcome, a_refused_login_is_the_channels_fault)
{
	EXPECT_EQ(said(smtp(535, Trouble::login)).outcome, Outcome::retry);
	for (const int status : {530, 534, 535, 538})
		EXPECT_EQ(said(smtp(status)).outcome, Outcome::retry) << status;
	EXPECT_EQ(said(smtp(220, Trouble::encryption)).outcome, Outcome::retry);
}
