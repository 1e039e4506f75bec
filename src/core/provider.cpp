#include "core/provider.hpp"

#include "core/failure.hpp"
#include "core/recipient.hpp"

#include <fmt/format.h>

namespace automation::core {

namespace {

constexpr std::string_view twilio_url = "https://api.twilio.com";

} // namespace

Request make_request(const Channel &channel, const Message &message, std::int64_t now, Hmac hmac)
{
	Request request;
	switch (channel.kind) {
	case Kind::sms:
		request = sms_request(channel, message);
		break;
	case Kind::email:
		request = email_request(channel, message, now);
		break;
	case Kind::webhook:
		request = webhook_request(channel, message, now, hmac);
		break;
	}
	request.username = channel.credential("username");
	request.password = channel.credential("password");
	request.token = channel.credential("token");
	return request;
}

std::string provider_of(const Channel &channel)
{
	return channel.option("provider",
		channel.kind == Kind::sms		  ? "twilio"
			: channel.kind == Kind::email ? "smtp"
										  : "http");
}

std::string base_url(const Channel &channel)
{
	return channel.option("base_url", channel.kind == Kind::sms ? twilio_url : "");
}

void check_recipient(Kind kind, std::string_view recipient)
{
	switch (kind) {
	case Kind::sms:
		return check_phone_number(recipient);
	case Kind::email:
		return check_email_address(recipient);
	case Kind::webhook:
		return check_webhook_path(recipient);
	}
}

std::string join_url(std::string_view base, std::string_view path)
{
	if (path.empty())
		return std::string(base);
	if (base.ends_with('/'))
		base.remove_suffix(1);
	std::string url(base);
	if (!path.starts_with('/') && !path.starts_with('?'))
		url += '/';
	return url += path;
}

const std::string &needed(const Channel &channel, std::string_view credential)
{
	if (const std::string *value = find(channel.credentials, credential))
		return *value;
	throw Failure("28000",
		fmt::format("channel \"{}\" has no credential \"{}\"", channel.name, credential),
		{.hint = "Use CREATE USER MAPPING."});
}

} // namespace automation::core
