#include "core/twilio.hpp"

#include "core/json.hpp"
#include "core/outcome.hpp"

#include <gtest/gtest.h>
#include <openssl/hmac.h>

using namespace automation::core;

namespace {

std::string hmac_sha1(std::string_view key, std::string_view text)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()),
		reinterpret_cast<const unsigned char *>(text.data()), text.size(), digest, &size);
	return {reinterpret_cast<const char *>(digest), size};
}

Verdict answered(int status, const std::string &body, std::string_view provider = "twilio")
{
	Reply reply;
	reply.status = status;
	reply.request_left = true;
	reply.body = body;
	return judge(reply, provider);
}

std::string error(int code)
{
	return R"({"message": "a \"code\": 1, or so", "more_info": "x", "status": 400, "code": )" +
		std::to_string(code) + "}";
}

} // namespace

TEST(Twilio, the_code_decides)
{
	EXPECT_EQ(answered(400, error(21211)).outcome, Outcome::dead);
	EXPECT_EQ(answered(400, error(21211)).reason, "Twilio 21211: invalid phone number");
	EXPECT_EQ(answered(400, error(21614)).outcome, Outcome::dead);
	EXPECT_EQ(answered(429, error(20429)).outcome, Outcome::retry);
	EXPECT_EQ(answered(400, error(20429)).outcome, Outcome::retry);
	EXPECT_EQ(answered(400, error(21610)).outcome, Outcome::dead);
	EXPECT_EQ(answered(400, error(21610)).reason, "Twilio 21610: the recipient has opted out");
	for (const int code : {21211, 21614, 20429, 21610})
		EXPECT_EQ(answered(400, error(code)).opted_out, code == 21610);
}

TEST(Twilio, what_is_not_known_goes_by_the_status)
{
	EXPECT_EQ(answered(400, error(21999)).outcome, Outcome::dead);
	EXPECT_EQ(answered(400, error(21999)).reason, "HTTP 400 (Twilio 21999)");
	EXPECT_EQ(answered(503, "<html>").reason, "HTTP 503");
	EXPECT_EQ(answered(400, R"({"error": {"code": 21610}})").reason, "HTTP 400");
	EXPECT_EQ(answered(400, error(21610), "http").reason, "HTTP 400");
}

TEST(Twilio, names_the_message)
{
	EXPECT_EQ(answered(201, R"({"body": "sid \"sid\": \"no\"", "sid": "SM1", "x": 1})").provider_id,
		"SM1");
	EXPECT_EQ(answered(201, "").provider_id, "");
}

// That of Twilio's documentation, and that of its libraries' own tests.
TEST(Twilio, signatures)
{
	const std::string url = "https://mycompany.com/myapp.php?foo=1&bar=2";
	Entries parameters = {{"To", "+18005551212"}, {"From", "+12349013030"}, {"Digits", "1234"},
		{"Caller", "+12349013030"}, {"CallSid", "CA1234567890ABCDE"}};
	const auto holds = [&](std::string_view signature, std::string_view token) {
		return has_twilio_signature(signature, token, url, parameters, hmac_sha1);
	};
	EXPECT_TRUE(holds("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", "12345"));
	EXPECT_FALSE(holds("0/KCTR6DLpKmkAf8muzZqo1nDgQ=", "12346"));
	EXPECT_FALSE(holds("1/KCTR6DLpKmkAf8muzZqo1nDgQ=", "12345"));
	EXPECT_FALSE(holds("0/KCTR6DLpKmkAf8muzZqo1nDgQ", "12345"));
	EXPECT_FALSE(holds("", "12345"));
	parameters[1].value = parameters[3].value = "+14158675309";
	EXPECT_TRUE(holds("RSOYDt4T1cUTdK1PDd93/VVr8B8=", "12345"));
}

TEST(JsonMember, of_whatever_comes)
{
	EXPECT_EQ(json_member(R"({"a": 1, "b": [{"c": 2}], "c": true})", "c"), "true");
	EXPECT_EQ(json_member(R"({"c" : "x\"y"})", "c"), R"(x\"y)");
	EXPECT_EQ(json_member(R"(["c", 1])", "c"), "");
	EXPECT_EQ(json_member(R"({"c": {"d": 1}})", "c"), "");
	for (const std::string_view broken :
		{"", "{", "{\"c", "{\"c\"", "{\"c\":", "{\"c\":\"", "}{\"c\":1"})
		EXPECT_EQ(json_member(broken, "c"), "");
}
