#include "core/recipient.hpp"

#include "failure_of.hpp"

using namespace automation::core;

namespace {

std::string refused_email(std::string_view address)
{
	return report(failure_of([&] { check_email_address(address); }));
}

} // namespace

TEST(Recipient, TakesMailAddresses)
{
	const std::string longest = std::string(64, 'l') + '@' + std::string(63, 'a') + '.' +
		std::string(63, 'b') + '.' + std::string(61, 'c');
	EXPECT_EQ(longest.size(), 254u);
	for (const std::string &address :
		{std::string("ada@example.com"), std::string("a.b+c'd@x-y.example"),
			std::string("root@localhost"), std::string("1@1.example"), longest})
		EXPECT_NO_THROW(check_email_address(address)) << address;
	EXPECT_THROW(check_email_address(longest + 'c'), Failure);
}

TEST(Recipient, RefusesOtherMailAddresses)
{
	for (const std::string address : {"", "a", "@", "a@", "@b", "a@b@c", "a b@c", "<a@b>", "a@b>",
			 "Ada <a@b>", "a,b@c", "a:b@c", "a;b@c", "\"a b\"@c", "a(x)@b", "a@[127.0.0.1]", ".a@b",
			 "a.@b", "a..b@c", "a@b..c", "a@.b", "a@b.", "a@-b", "a@b-", "a@b_c", "a\\b@c"})
		EXPECT_EQ(refused_email(address), "22023 invalid email address \"" + address + "\"");
	EXPECT_TRUE(refused_email(std::string(65, 'l') + "@b").starts_with("22023 invalid"));
	EXPECT_TRUE(refused_email("a@" + std::string(64, 'b')).starts_with("22023 invalid"));
	for (const std::string address : {"jürgen@example.com", "j@münchen.example"})
		EXPECT_EQ(refused_email(address),
			"22023 invalid email address \"" + address +
				"\" | Write an international domain in its ASCII form (xn--).");
	for (const std::string_view address : {std::string_view("b>\r\nRCPT TO:<v@x"),
			 std::string_view("a@b\n"), std::string_view("a@b\0", 4), std::string_view("a@b\x7f")})
		EXPECT_EQ(refused_email(address), "22023 email address contains a control character");
}

TEST(Recipient, TakesPhoneNumbersInE164)
{
	for (const char *number : {"+491711234567", "+1234567", "+123456789012345"})
		EXPECT_NO_THROW(check_phone_number(number)) << number;
	for (const std::string number : {"", "+", "0171 123", "491711234567", "+0171123456", "+123456",
			 "+1234567890123456", "+49171123456a", "+49 1711234567", "++4917112345", "+1234567\n"})
		EXPECT_EQ(report(failure_of([&] { check_phone_number(number); })),
			"22023 invalid phone number \"" + number +
				"\" | Use E.164 format, for example \"+491711234567\".");
}

TEST(Recipient, NormalizesPhoneNumbers)
{
	EXPECT_EQ(normalize_phone_number("+49 (171) 123-45.67"), "+491711234567");
	EXPECT_EQ(normalize_phone_number("0049 (0) 171/1234567"), "+491711234567");
	EXPECT_EQ(normalize_phone_number("+49(0)1711234567"), "+491711234567");
	EXPECT_EQ(normalize_phone_number("(0)171 123"), "0171123");
	EXPECT_EQ(normalize_phone_number("0171 123"), "0171123");
	EXPECT_EQ(normalize_phone_number(" "), "");
	EXPECT_EQ(normalize_phone_number("+1 call me"), "+1callme");
	EXPECT_EQ(normalize_phone_number("00"), "+");
}
