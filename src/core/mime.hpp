// E-mail as it goes over the wire: RFC 5322 headers, RFC 2047 words. Every line ends in CRLF and
// bodies are always quoted-printable or base64: no relay then has a reason to change them.
#pragma once

#include "core/invite.hpp"
#include "core/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace automation::core {

// "Jane Doe <jane@example.com>" or the bare address.
struct Mailbox {
	std::string name;
	std::string address;
};

struct Email {
	Mailbox from;
	std::string reply_to; // a bare address; may be empty
	std::string to;		  // a bare address
	std::string subject;
	std::string text;
	std::string html; // may be empty
	std::optional<Invite> invite = {};
	std::vector<Attachment> attachments = {};
	std::string unsubscribe_url = {}; // RFC 8058: a POST there is enough; may be empty
	std::string id;		   // without brackets: what both Message-ID and a receiver's memory hold
	std::int64_t date = 0; // seconds since 1970
};

Mailbox parse_mailbox(std::string_view text);

// Throws Failure when an address or the id could break out of its header.
std::string format_email(const Email &email);

// A header's value: as it is when plain ASCII and short, else encoded words on folded lines.
std::string header_text(std::string_view text);

std::string quoted_printable(std::string_view text); // line ends of any kind become CRLF

std::string header_date(std::int64_t seconds_since_1970); // in UTC

} // namespace automation::core
