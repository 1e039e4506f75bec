// The values that cross floors on a message's way: out of the outbox, over the network, and back as
// a verdict.
#pragma once

#include "core/invite.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace automation::core {

enum class Kind { sms, email, webhook };

constexpr std::string_view name_of(Kind kind)
{
	return kind == Kind::sms ? "sms" : kind == Kind::email ? "email" : "webhook";
}

constexpr std::optional<Kind> kind_named(std::string_view name)
{
	for (const Kind kind : {Kind::sms, Kind::email, Kind::webhook})
		if (name == name_of(kind))
			return kind;
	return std::nullopt;
}

// A name with its value: an option, a header, a field of a form.
struct Entry {
	std::string name;
	std::string value;
	bool operator==(const Entry &) const = default;
};
using Entries = std::vector<Entry>;

inline const std::string *find(const Entries &entries, std::string_view name)
{
	for (const Entry &entry : entries)
		if (entry.name == name)
			return &entry.value;
	return nullptr;
}

inline std::string value_or(
	const Entries &entries, std::string_view name, std::string_view otherwise)
{
	const std::string *value = find(entries, name);
	return value ? *value : std::string(otherwise);
}

struct Attachment {
	std::string name; // of the file; empty: it is gone
	std::string type; // "application/pdf"
	std::string content;
};

// One rendered message, as the outbox holds it.
struct Message {
	std::string id;		   // the same on every attempt: receivers recognise a repetition by it
	std::string recipient; // of an sms or e-mail
	std::string body;
	std::string subject;				 // e-mail
	std::string html;					 // e-mail; may be empty
	std::string reply_to;				 // e-mail; may be empty
	std::string unsubscribe_token;		 // e-mail; may be empty
	std::optional<Invite> invite;		 // e-mail
	std::vector<Attachment> attachments; // e-mail
	std::string path;					 // webhook: below the channel's base_url
	std::string method;					 // webhook
	Entries headers;					 // webhook
};

// Where messages go: a foreign server with the credentials that apply.
struct Channel {
	std::string name;
	Kind kind = Kind::webhook;
	Entries options;
	Entries credentials; // references to files are resolved

	std::string option(std::string_view which, std::string_view otherwise = {}) const
	{
		return value_or(options, which, otherwise);
	}
	std::string credential(std::string_view which) const
	{
		return value_or(credentials, which, {});
	}
};

// What goes over the wire.
struct Request {
	enum class Encryption { required, if_offered, none }; // of SMTP; HTTP says it in the URL

	std::string url;
	std::string method;
	std::vector<std::string> headers; // "Name: value"
	std::string body;
	std::string username;
	std::string password;
	std::string token;	   // sent as a bearer's
	std::string mail_from; // e-mail: the envelope
	std::string mail_to;
	Encryption encryption = Encryption::required;
};

// What came back.
struct Reply {
	enum class Protocol { http, smtp };
	enum class Trouble { none, network, encryption, login }; // none: the exchange went to its end

	Protocol protocol = Protocol::http;
	Trouble trouble = Trouble::none;
	std::string error;		   // the trouble in words
	int status = 0;			   // the last one the peer answered
	bool request_left = false; // HTTP: bytes of the request were sent
	bool message_left = false; // SMTP: the whole message was sent
	std::optional<std::chrono::seconds> retry_after;
	std::string body; // the beginning of it
};

// What an attempt came to.
enum class Outcome { delivered, retry, dead, unknown, expired };

constexpr std::string_view name_of(Outcome outcome)
{
	switch (outcome) {
	case Outcome::delivered:
		return "delivered";
	case Outcome::retry:
		return "retry";
	case Outcome::dead:
		return "dead";
	case Outcome::expired:
		return "expired";
	case Outcome::unknown:
		break;
	}
	return "unknown";
}

struct Verdict {
	Outcome outcome = Outcome::unknown;
	std::string reason = {}; // empty when delivered
	std::optional<std::chrono::seconds> retry_after = {};
	bool endpoint_gone = false; // nothing more may be sent there until a person says so
	bool opted_out = false; // nothing more may go to the recipient: his wish, or he is not there
	std::string provider_id = {}; // by which the provider will speak of the message
};

} // namespace automation::core
