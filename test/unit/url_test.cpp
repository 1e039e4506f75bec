#include "core/url.hpp"

#include "failure_of.hpp"

using namespace automation::core;

namespace {

UrlPolicy with_networks(UrlPolicy policy, std::string_view networks)
{
	policy.allowed_networks = parse_networks(networks);
	return policy;
}

std::string shown(const Url &url)
{
	return url.scheme + ' ' + url.host + ' ' + std::to_string(url.port) + ' ' + url.path;
}

std::string checked(std::string_view text, const UrlPolicy &policy = webhook_policy())
{
	return shown(check_url(text, policy));
}

std::string refusal_of(std::string_view text, const UrlPolicy &policy = webhook_policy())
{
	return report(failure_of([&] { check_url(text, policy); }));
}

} // namespace

TEST(Url, IsTakenApart)
{
	EXPECT_EQ(checked("https://Example.com/a/b?c=d@e"), "https example.com 443 /a/b?c=d@e");
	EXPECT_EQ(checked("HTTPS://hooks.example.com:8443"), "https hooks.example.com 8443 ");
	EXPECT_EQ(checked("https://example.com?x"), "https example.com 443 ?x");
	EXPECT_EQ(checked("https://my_host.example./"), "https my_host.example. 443 /");
	EXPECT_EQ(checked("https://[2606:4700::1111]:443/"), "https 2606:4700::1111 443 /");
	EXPECT_EQ(checked("smtp://mail.example.com", email_policy()), "smtp mail.example.com 25 ");
	EXPECT_EQ(checked("smtps://mail.example.com", email_policy()), "smtps mail.example.com 465 ");
	EXPECT_EQ(checked("smtp://mail.example.com:587", email_policy()), "smtp mail.example.com 587 ");
}

TEST(Url, HasOneOfTheAllowedSchemes)
{
	EXPECT_EQ(refusal_of("ftp://example.com"),
		"22023 URL scheme \"ftp\" is not allowed | Use \"https\".");
	EXPECT_EQ(refusal_of("file:///etc/passwd"),
		"22023 URL scheme \"file\" is not allowed | Use \"https\".");
	EXPECT_EQ(refusal_of("http://example.com"),
		"22023 webhook URL must use https"
		" | A superuser can set allow_http on the foreign-data wrapper.");
	EXPECT_EQ(refusal_of("http://example.com", email_policy()),
		"22023 URL scheme \"http\" is not allowed | Use \"smtps\".");
	UrlPolicy with_http = webhook_policy();
	with_http.schemes.push_back("http");
	EXPECT_EQ(checked("http://example.com", with_http), "http example.com 80 ");
	for (const char *text :
		{"example.com", "", "https:example.com", "https:/example.com", "mailto:a"})
		EXPECT_EQ(refusal_of(text), "22023 invalid URL | Write it as \"https://host/path\".")
			<< text;
}

TEST(Url, HasNoUserNoFragmentAndNoStrangeCharacter)
{
	for (const char *text : {"https://user@127.0.0.1/", "https://u:p@example.com",
			 "https://@example.com", "https://example.com@127.0.0.1"})
		EXPECT_EQ(refusal_of(text),
			"22023 URL must not contain user name or password"
			" | Store credentials in a user mapping.")
			<< text;
	EXPECT_EQ(refusal_of("https://example.com/#a"), "22023 URL must not contain a fragment");
	for (const std::string_view text : {"https://example.com/a b", "https://example.com/\r\nX: 1",
			 "https://example.com/\t", "https://example.com/\x7f", " https://example.com"})
		EXPECT_EQ(refusal_of(text), "22023 URL must not contain spaces or control characters")
			<< text;
	EXPECT_EQ(refusal_of(std::string_view("https://a/\0b", 12)),
		"22023 URL must not contain spaces or control characters");
	for (const char *text :
		{"https://example.com\\@10.0.0.1", "https://例え.jp/", "https://１２７.0.0.1/",
			"https://example.com/{{ x", "https://example.com/\"", "https://example.com/é"})
		EXPECT_TRUE(refusal_of(text).starts_with("22023 URL ")) << text;
	EXPECT_EQ(refusal_of("https://example.com/" + std::string(2048, 'a')),
		"22023 URL is too long | Maximum length is 2048 bytes.");
}

TEST(Url, HasARealHost)
{
	const std::string hint = " | Write it as \"https://host/path\".";
	for (const std::string host : {"", ".", "-a.example", "a..example", "%31%32%37.0.0.1", "[]",
			 "::1]", "[x]", "[::1]x", "a,b", "*.example"})
		EXPECT_EQ(refusal_of("https://" + host + "/"), "22023 invalid URL" + hint) << host;
	EXPECT_EQ(
		refusal_of("https://" + std::string(64, 'a') + ".example"), "22023 invalid URL" + hint);
	EXPECT_EQ(checked("https://" + std::string(63, 'a') + ".b"),
		"https " + std::string(63, 'a') + ".b 443 ");
}

TEST(Url, HasAnAllowedPort)
{
	EXPECT_EQ(refusal_of("https://example.com:25"),
		"22023 port 25 is not allowed for webhooks | Allowed ports are 80, 443, 8443.");
	EXPECT_EQ(refusal_of("smtp://example.com:443", email_policy()),
		"22023 port 443 is not allowed for email | Allowed ports are 25, 465, 587, 2525.");
	for (const std::string port :
		{"", "0", "65536", "-1", "+443", "44a", "0x1bb", "99999999999999"})
		EXPECT_EQ(refusal_of("https://example.com:" + port + "/"),
			"22023 invalid port \"" + port + "\" in URL")
			<< port;
	EXPECT_EQ(checked("https://example.com:25", with_networks(webhook_policy(), "10.0.0.0/8")),
		"https example.com 25 ");
}

TEST(Url, DoesNotLeadInside)
{
	for (const std::string host :
		{"127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "localhost", "[::1]",
			"[::]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]",
			"[fe80::1%25lo]", "169.254.169.254", "10.0.0.1", "100.100.100.200"})
		EXPECT_TRUE(refusal_of("https://" + host + "/").starts_with("42501 address ")) << host;
	const UrlPolicy local = with_networks(email_policy(), "127.0.0.0/8");
	EXPECT_EQ(checked("smtp://127.0.0.1:1025", local), "smtp 127.0.0.1 1025 ");
	EXPECT_EQ(checked("smtp://localhost:1025", local), "smtp localhost 1025 ");
	EXPECT_EQ(refusal_of("smtp://10.0.0.1:25", local),
		"42501 address 10.0.0.1 is not allowed for email"
		" | The address is in the blocked range 10.0.0.0/8. | A superuser can add it to "
		"allowed_networks.");
}
