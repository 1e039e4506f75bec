#include "core/provider.hpp"

#include "failure_of.hpp"

#include <algorithm>

using namespace automation::core;

namespace {

constexpr std::int64_t now = 1'700'000'000;

std::string no_hmac(std::string_view, std::string_view)
{
	return "?";
}

Channel twilio()
{
	return {.name = "twilio",
		.kind = Kind::sms,
		.options = {{"channel", "sms"}, {"provider", "twilio"}, {"sender", "+15005550006"}},
		.credentials = {{"username", "AC1"}, {"password", "secret"}}};
}

Channel described_sms()
{
	return {.name = "gateway",
		.kind = Kind::sms,
		.options = {{"provider", "http"}, {"base_url", "https://sms.example/v1/"},
			{"sender", "CRM"}},
		.credentials = {{"token", "t"}}};
}

Channel webhook()
{
	return {.name = "hooks",
		.kind = Kind::webhook,
		.options = {{"base_url", "https://hooks.example/in"}},
		.credentials = {}};
}

Message text_message()
{
	Message message;
	message.id = "msg_1";
	message.recipient = "+491711234567";
	message.body = "Hi & \"bye\" €";
	return message;
}

bool has_header(const Request &request, const std::string &line)
{
	return std::ranges::find(request.headers, line) != request.headers.end();
}

} // namespace

TEST(Twilio, is_a_form_for_the_account)
{
	const Request request = make_request(twilio(), text_message(), now, no_hmac);
	EXPECT_EQ(request.url, "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
	EXPECT_EQ(request.method, "POST");
	EXPECT_EQ(request.body,
		"To=%2B491711234567&From=%2B15005550006&Body=Hi%20%26%20%22bye%22%20%E2%82%AC");
	EXPECT_TRUE(has_header(request, "Content-Type: application/x-www-form-urlencoded"));
	EXPECT_EQ(request.username, "AC1");
	EXPECT_EQ(request.password, "secret");
}

TEST(Twilio, knows_messaging_services)
{
	Channel channel = twilio();
	channel.options.back().value = "MG0123";
	EXPECT_NE(
		make_request(channel, text_message(), now, no_hmac).body.find("MessagingServiceSid=MG0123"),
		std::string::npos);
}

TEST(Twilio, needs_credentials)
{
	Channel channel = twilio();
	channel.credentials = {};
	EXPECT_EQ(report(failure_of([&] { make_request(channel, text_message(), now, no_hmac); })),
		"28000 channel \"twilio\" has no credential \"username\" | Use CREATE USER MAPPING.");
}

TEST(Sms, is_refused_before_it_costs)
{
	Message message = text_message();
	message.recipient = "0171 123";
	EXPECT_STREQ(
		failure_of([&] { make_request(twilio(), message, now, no_hmac); }).sqlstate, "22023");
	message = text_message();
	message.body = std::string(1'599, 'x') + "€";
	EXPECT_NO_THROW(make_request(twilio(), message, now, no_hmac));
	message.body += "x";
	EXPECT_EQ(report(failure_of([&] { make_request(twilio(), message, now, no_hmac); })),
		"22001 message body has 1601 characters | The maximum for SMS is 1600.");
}

TEST(DescribedSms, fills_json)
{
	const Request request = make_request(described_sms(), text_message(), now, no_hmac);
	EXPECT_EQ(request.url, "https://sms.example/v1/");
	EXPECT_EQ(request.body,
		R"({"to": "+491711234567", "from": "CRM", "body": "Hi & \"bye\" €", "id": "msg_1"})");
	EXPECT_TRUE(has_header(request, "Content-Type: application/json"));
	EXPECT_EQ(request.token, "t");
}

TEST(DescribedSms, fills_forms_and_paths)
{
	Channel channel = described_sms();
	channel.options.push_back({"content_type", "application/x-www-form-urlencoded"});
	channel.options.push_back({"path", "send/{{recipient}}"});
	channel.options.push_back({"body", "text={{body}}&n={{recipient}}"});
	const Request request = make_request(channel, text_message(), now, no_hmac);
	EXPECT_EQ(request.url, "https://sms.example/v1/send/%2B491711234567");
	EXPECT_EQ(request.body, "text=Hi%20%26%20%22bye%22%20%E2%82%AC&n=%2B491711234567");
}

TEST(DescribedSms, a_value_with_braces_is_not_filled_again)
{
	Message message = text_message();
	message.body = "{{sender}}";
	EXPECT_NE(make_request(described_sms(), message, now, no_hmac).body.find("{{sender}}"),
		std::string::npos);
}

TEST(Webhook, carries_its_id_and_time)
{
	Message message;
	message.id = "msg_7";
	message.path = "/orders/15?x=1";
	message.body = R"({"a": 1})";
	message.headers = {{"X-Tenant", "7"}, {"X-Empty", ""}};
	const Request request = make_request(webhook(), message, now, no_hmac);
	EXPECT_EQ(request.url, "https://hooks.example/in/orders/15?x=1");
	EXPECT_EQ(request.method, "POST");
	EXPECT_EQ(request.body, R"({"a": 1})");
	for (const char *line : {"webhook-id: msg_7", "webhook-timestamp: 1700000000", "X-Tenant: 7",
			 "X-Empty;", "Content-Type: application/json"})
		EXPECT_TRUE(has_header(request, line)) << line;
}

TEST(Webhook, is_signed_where_there_is_a_secret)
{
	Channel channel = webhook();
	EXPECT_FALSE(has_header(make_request(channel, {}, now, no_hmac), "webhook-signature: v1,Pw=="));
	channel.credentials = {{"signing_secret", "whsec_" + std::string(32, 'A')}};
	EXPECT_TRUE(has_header(make_request(channel, {}, now, no_hmac), "webhook-signature: v1,Pw=="));
}

TEST(Webhook, a_content_type_of_its_own_is_the_only_one)
{
	Message message;
	message.headers = {{"content-type", "text/plain"}};
	const Request request = make_request(webhook(), message, now, no_hmac);
	EXPECT_TRUE(has_header(request, "content-type: text/plain"));
	EXPECT_FALSE(has_header(request, "Content-Type: application/json"));
}

TEST(Webhook, refuses_what_would_change_the_request)
{
	const auto refused = [](Message message) {
		return report(failure_of([&] { make_request(webhook(), message, now, no_hmac); }));
	};
	Message message;
	message.headers = {{"X-A", "1\r\nX-Evil: 2"}};
	EXPECT_EQ(refused(message), "22023 HTTP header \"X-A\" contains a control character");
	message.headers = {{"Content-Length", "5"}};
	EXPECT_EQ(refused(message), "22023 HTTP header \"Content-Length\" cannot be set");
	message.headers = {{"webhook-id", "5"}};
	EXPECT_EQ(refused(message), "22023 HTTP header \"webhook-id\" cannot be set");
	message.headers = {};
	message.path = "a b";
	EXPECT_EQ(refused(message).substr(0, 5), "22023");
	message.path = "";
	message.method = "TRACE";
	EXPECT_EQ(refused(message), "22023 unrecognized method: \"TRACE\"");
}

TEST(Webhook, a_path_cannot_lead_to_another_host)
{
	for (const char *path :
		{"@evil.example/", ".evil.example", "//evil.example/", ":80@evil.example"}) {
		Message message;
		message.path = path;
		EXPECT_TRUE(make_request(webhook(), message, now, no_hmac)
						.url.starts_with("https://hooks.example/in/"))
			<< path;
		Channel bare = webhook();
		bare.options[0].value = "https://hooks.example";
		EXPECT_TRUE(
			make_request(bare, message, now, no_hmac).url.starts_with("https://hooks.example/"))
			<< path;
	}
}

TEST(Email, becomes_an_envelope_and_a_message)
{
	const Channel channel{.name = "office",
		.kind = Kind::email,
		.options = {{"base_url", "smtps://mail.example"}, {"sender", "Office <office@x.example>"},
			{"reply_to", "r@x.example"}, {"starttls", "optional"}},
		.credentials = {{"username", "u"}, {"password", "p"}}};
	Message message;
	message.id = "msg_9";
	message.recipient = "jane@y.example";
	message.subject = "Hi";
	message.body = "Text";
	const Request request = make_request(channel, message, now, no_hmac);
	EXPECT_EQ(request.url, "smtps://mail.example");
	EXPECT_EQ(request.mail_from, "office@x.example");
	EXPECT_EQ(request.mail_to, "jane@y.example");
	EXPECT_EQ(request.encryption, Request::Encryption::if_offered);
	EXPECT_NE(request.body.find("Message-ID: <msg_9@x.example>\r\n"), std::string::npos);
	EXPECT_NE(request.body.find("From: \"Office\" <office@x.example>\r\n"), std::string::npos);
	message.recipient = "b>\r\nRCPT TO:<v";
	EXPECT_STREQ(
		failure_of([&] { make_request(channel, message, now, no_hmac); }).sqlstate, "22023");
}

TEST(Url, is_joined_with_one_slash)
{
	EXPECT_EQ(join_url("https://h/a/", "/b"), "https://h/a/b");
	EXPECT_EQ(join_url("https://h/a", "b"), "https://h/a/b");
	EXPECT_EQ(join_url("https://h/a", ""), "https://h/a");
	EXPECT_EQ(join_url("https://h/a", "?x"), "https://h/a?x");
}
