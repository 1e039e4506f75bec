// Turns a message into the request its channel's provider understands.
#pragma once

#include "core/message.hpp"
#include "core/signature.hpp"

#include <cstdint>

namespace automation::core {

// Throws Failure: of class 22 when the message is at fault and no later attempt can help, of
// another class when the channel is. now: seconds since 1970.
Request make_request(const Channel &channel, const Message &message, std::int64_t now, Hmac hmac);

// twilio, http or smtp, said or not.
std::string provider_of(const Channel &channel);

// Where the channel's messages go.
std::string base_url(const Channel &channel);

// Throws Failure 22023 when no such message can go there: to a phone number, an e-mail address, or
// a path below a webhook's URL.
void check_recipient(Kind kind, std::string_view recipient);

// The providers, one file each.
Request sms_request(const Channel &channel, const Message &message);
Request email_request(const Channel &channel, const Message &message, std::int64_t now);
Request webhook_request(
	const Channel &channel, const Message &message, std::int64_t now, Hmac hmac);
void check_webhook_path(std::string_view path);

// Fills {{recipient}}, {{sender}}, {{body}} and {{id}} of a described SMS request, written so that
// each stays one value in a document of the type. Throws Failure 42703 for any other field.
std::string fill(std::string_view text, const Entries &fields, std::string_view content_type);
Entries sms_fields(const Channel &channel, const Message &message);

// In the unsubscribe_url of an e-mail channel.
inline constexpr std::string_view token_field = "{{token}}";

// "https://host/base/" and "/path" make "https://host/base/path".
std::string join_url(std::string_view base, std::string_view path);

// The credential, or Failure 28000 when the channel has none.
const std::string &needed(const Channel &channel, std::string_view credential);

} // namespace automation::core
