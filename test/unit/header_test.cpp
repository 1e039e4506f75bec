#include "core/header.hpp"

#include "failure_of.hpp"

using namespace automation::core;

namespace {

std::string refused_name(std::string_view name)
{
	return failure_of([&] { check_header_name(name); }).what();
}

} // namespace

TEST(Header, NamesAreTokens)
{
	for (const std::string &name :
		{std::string("X-A"), std::string("!#$%&'*+-.^_`|~09azAZ"), std::string(64, 'a')})
		EXPECT_NO_THROW(check_header_name(name)) << name;
	for (const std::string &name : {std::string(), std::string("X A"), std::string("X-A:"),
			 std::string("X\r\nY"), std::string("Ä"), std::string("a(b)"), std::string(65, 'a')})
		EXPECT_EQ(refused_name(name), "invalid HTTP header name \"" + name + "\"");
	EXPECT_THROW(check_header_name(std::string_view("a\0b", 3)), Failure);
	EXPECT_EQ(std::string(failure_of([] { check_header_name(""); }).sqlstate), "22023");
}

TEST(Header, FramingAndSignatureAreOurs)
{
	for (const std::string name : {"Host", "CONTENT-LENGTH", "Transfer-Encoding", "Connection",
			 "TE", "Te", "Trailer", "upgrade", "Expect", "Proxy-Authorization", "proxy-",
			 "webhook-id", "Webhook-Signature"})
		EXPECT_EQ(refused_name(name), "HTTP header \"" + name + "\" cannot be set");
	for (const char *name : {"Content-Type", "Authorization", "X-Host", "Hosts", "Test", "Webhook"})
		EXPECT_NO_THROW(check_header_name(name)) << name;
}

TEST(Header, ValuesStayOnTheirLine)
{
	for (const char *value : {"", "1", "application/json; charset=utf-8", "Grüße \"'\\"})
		EXPECT_NO_THROW(check_header_value("X-A", value)) << value;
	for (const std::string_view value : {std::string_view("1\r\nX-Evil: 2"), std::string_view("\n"),
			 std::string_view("\t"), std::string_view("\x7f"), std::string_view("a\0b", 3)})
		EXPECT_EQ(report(failure_of([&] { check_header_value("X-A", value); })),
			"22023 HTTP header \"X-A\" contains a control character");
}
