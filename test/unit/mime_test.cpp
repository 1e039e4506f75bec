#include "core/mime.hpp"

#include "failure_of.hpp"

#include <sstream>

using namespace automation::core;

namespace {

Email simple()
{
	return {.from = {"", "office@x.example"},
		.reply_to = {},
		.to = "jane@y.example",
		.subject = "Hello",
		.text = "Hi",
		.html = {},
		.id = "msg_1@x.example",
		.date = 1'700'000'000};
}

// Every line ends in CRLF, no line is too long, nothing is outside of ASCII.
void expect_safe_on_the_wire(const std::string &message)
{
	std::size_t column = 0;
	for (std::size_t at = 0; at < message.size(); ++at) {
		const char c = message[at];
		ASSERT_LT(static_cast<unsigned char>(c), 0x7f) << at;
		ASSERT_TRUE(c != '\n' || (at > 0 && message[at - 1] == '\r')) << at;
		ASSERT_TRUE(c != '\r' || (at + 1 < message.size() && message[at + 1] == '\n')) << at;
		column = c == '\n' ? 0 : column + 1;
		ASSERT_LE(column, 79U) << message.substr(at - 79, 79);
	}
	EXPECT_TRUE(message.ends_with("\r\n"));
}

std::string decoded_quoted_printable(const std::string &text)
{
	std::string decoded;
	for (std::size_t at = 0; at < text.size(); ++at) {
		if (text[at] != '=') {
			decoded += text[at];
		} else if (text.compare(at + 1, 2, "\r\n") == 0) {
			at += 2;
		} else {
			decoded += static_cast<char>(std::stoi(text.substr(at + 1, 2), nullptr, 16));
			at += 2;
		}
	}
	return decoded;
}

} // namespace

TEST(Mime, plain_message)
{
	EXPECT_EQ(format_email(simple()),
		"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
		"From: office@x.example\r\n"
		"To: jane@y.example\r\n"
		"Subject: Hello\r\n"
		"Message-ID: <msg_1@x.example>\r\n"
		"Auto-Submitted: auto-generated\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n"
		"\r\n"
		"Hi\r\n");
}

TEST(Mime, text_and_html_are_alternatives)
{
	Email email = simple();
	email.html = "<p>Hi</p>";
	const std::string message = format_email(email);
	EXPECT_NE(message.find("multipart/alternative; boundary=\"=_alternative\""), std::string::npos);
	EXPECT_LT(message.find("text/plain"), message.find("text/html"));
	EXPECT_TRUE(message.ends_with("<p>Hi</p>\r\n--=_alternative--\r\n"));
	expect_safe_on_the_wire(message);
}

TEST(Mime, attachments_are_a_mixture)
{
	Email email = simple();
	email.html = "<p>Hi</p>";
	email.attachments = {{"a \"b\" ü.pdf", "application/pdf", std::string("\0\xff=_", 4)},
		{"plain.txt", "text/plain; charset=utf-8", std::string(100, 'x')}};
	const std::string message = format_email(email);
	EXPECT_LT(message.find("multipart/mixed"), message.find("multipart/alternative"));
	EXPECT_NE(
		message.find("filename*=utf-8''a%20%22b%22%20%C3%BC.pdf\r\n\r\nAP89Xw==\r\n--=_mixed\r\n"),
		std::string::npos);
	EXPECT_NE(message.find("attachment;\r\n filename=\"plain.txt\"\r\n"), std::string::npos);
	EXPECT_TRUE(message.ends_with("\r\n--=_mixed--\r\n"));
	expect_safe_on_the_wire(message);
}

TEST(Mime, what_is_no_attachment)
{
	const auto refusal = [](const std::string &name, const std::string &type) {
		Email email = simple();
		email.attachments = {{name, type, "x"}};
		return failure_of([&] { format_email(email); });
	};
	EXPECT_STREQ(refusal("", "text/plain").sqlstate, "22023");
	EXPECT_STREQ(refusal("a", "text/plain\r\nX-Evil: 1").sqlstate, "22023");
	EXPECT_STREQ(refusal("a", "text").sqlstate, "22023");
	Email email = simple();
	email.attachments = {{"a\r\nX-Evil: 1.pdf", "application/pdf", "x"}};
	EXPECT_EQ(format_email(email).find("\nX-Evil"), std::string::npos);
}

TEST(Mime, a_way_out_by_one_click)
{
	Email email = simple();
	EXPECT_EQ(format_email(email).find("List-"), std::string::npos);
	email.unsubscribe_url = "https://x.example/?t=1";
	EXPECT_NE(format_email(email).find("List-Unsubscribe: <https://x.example/?t=1>\r\n"
									   "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"),
		std::string::npos);
	email.unsubscribe_url = "https://x.example/>\r\nX: y";
	EXPECT_STREQ(failure_of([&] { format_email(email); }).sqlstate, "22023");
}

TEST(Mime, a_body_cannot_imitate_the_boundary)
{
	Email email = simple();
	email.text = "a\n--=_alternative--\nb";
	email.html = "x";
	const std::string message = format_email(email);
	EXPECT_NE(message.find("--=3D_alternative--"), std::string::npos);
}

TEST(Mime, headers_hold_whatever_they_are_given_on_safe_lines)
{
	Email email = simple();
	email.from.name = "Büro \"Nord\"";
	email.reply_to = "replies@x.example";
	email.subject = "Grüße\r\nBcc: victim@z.example " + std::string(300, 'x') + "€";
	email.text = std::string(500, 'a') + "\n.\n..two\r\nlast ";
	const std::string message = format_email(email);
	expect_safe_on_the_wire(message);
	EXPECT_EQ(message.find("\nBcc:"), std::string::npos);
	EXPECT_NE(
		message.find("From: =?UTF-8?B?QsO8cm8gIk5vcmQi?= <office@x.example>"), std::string::npos);
	EXPECT_NE(message.find("Reply-To: replies@x.example\r\n"), std::string::npos);
}

TEST(Mime, structured_headers_refuse_what_could_leave_them)
{
	for (const char *address : {"", "a b@x", "a@x\r\nBcc: v@z", "a@x>", "a@x,b@x", "ü@x"}) {
		Email email = simple();
		email.to = address;
		EXPECT_STREQ(failure_of([&] { format_email(email); }).sqlstate, "22023") << address;
	}
	Email email = simple();
	email.id = "a b";
	EXPECT_EQ(
		report(failure_of([&] { format_email(email); })), "22023 invalid Message-ID of an email");
}

TEST(Mime, header_text)
{
	EXPECT_EQ(header_text("Plain text, 100%"), "Plain text, 100%");
	EXPECT_EQ(header_text("ü"), "=?UTF-8?B?w7w=?=");
	EXPECT_EQ(header_text("=?UTF-8?B?w7w=?="), "=?UTF-8?B?PT9VVEYtOD9CP3c3dz0/PQ==?=");
	EXPECT_EQ(header_text("two\nlines"), "two lines");
}

TEST(Mime, encoded_words_do_not_cut_characters)
{
	std::string text;
	for (int i = 0; i < 60; ++i)
		text += i % 3 == 0 ? "€" : i % 3 == 1 ? "😀" : "é";
	std::istringstream words(header_text(text));
	for (std::string word; words >> word;) {
		EXPECT_LE(word.size(), 75U);
		EXPECT_TRUE(word.starts_with("=?UTF-8?B?") && word.ends_with("?=")) << word;
	}
}

TEST(Mime, quoted_printable_comes_back_as_it_was)
{
	for (const std::string text : {"", "a=b", "trailing \r\nspace\t\r\nend ", "ünïcödé €",
			 "line\r\n.\r\n..two\r\nFrom me", "\x01\x7f"})
		EXPECT_EQ(decoded_quoted_printable(quoted_printable(text)), text);
	const std::string longer(1'000, '=');
	EXPECT_EQ(decoded_quoted_printable(quoted_printable(longer)), longer);
	EXPECT_EQ(quoted_printable("a\nb\rc"), "a\r\nb\r\nc");
	EXPECT_EQ(quoted_printable("x \ny"), "x=20\r\ny");
}

TEST(Mime, mailboxes)
{
	EXPECT_EQ(parse_mailbox("a@x.example").address, "a@x.example");
	EXPECT_EQ(parse_mailbox(" Jane Doe <jane@x.example> ").name, "Jane Doe");
	EXPECT_EQ(parse_mailbox("\"Doe, Jane\" <jane@x.example>").name, "Doe, Jane");
	EXPECT_EQ(parse_mailbox("Jane <jane@x.example>").address, "jane@x.example");
}

TEST(Mime, dates)
{
	EXPECT_EQ(header_date(0), "Thu, 1 Jan 1970 00:00:00 +0000");
	EXPECT_EQ(header_date(951'782'399), "Mon, 28 Feb 2000 23:59:59 +0000");
	EXPECT_EQ(header_date(4'107'542'400), "Mon, 1 Mar 2100 00:00:00 +0000");
}
