#include "core/provider.hpp"

#include "core/mime.hpp"
#include "core/recipient.hpp"

namespace automation::core {

namespace {

Request::Encryption encryption_of(const Channel &channel)
{
	const std::string starttls = channel.option("starttls", "required");
	if (starttls == "off")
		return Request::Encryption::none;
	return starttls == "optional" ? Request::Encryption::if_offered : Request::Encryption::required;
}

// The channel's template, with a token that stands for the address.
std::string unsubscribe_url(const Channel &channel, const Message &message)
{
	std::string url = channel.option("unsubscribe_url");
	const std::size_t at = url.find(token_field);
	if (at == url.npos || message.unsubscribe_token.empty())
		return {};
	return url.replace(at, token_field.size(), message.unsubscribe_token);
}

} // namespace

Request email_request(const Channel &channel, const Message &message, std::int64_t now)
{
	check_email_address(message.recipient);
	if (!message.reply_to.empty())
		check_email_address(message.reply_to);
	const Mailbox sender = parse_mailbox(channel.option("sender"));
	Request request;
	request.url = base_url(channel);
	request.encryption = encryption_of(channel);
	request.mail_from = sender.address;
	request.mail_to = message.recipient;
	request.body = format_email({.from = sender,
		.reply_to = message.reply_to.empty() ? channel.option("reply_to") : message.reply_to,
		.to = message.recipient,
		.subject = message.subject,
		.text = message.body,
		.html = message.html,
		.invite = message.invite,
		.attachments = message.attachments,
		.unsubscribe_url = unsubscribe_url(channel, message),
		.id = message.id + sender.address.substr(sender.address.find('@')),
		.date = now});
	return request;
}

} // namespace automation::core
