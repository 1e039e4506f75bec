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

} // namespace

Request email_request(const Channel &channel, const Message &message, std::int64_t now)
{
	check_email_address(message.recipient);
	const Mailbox sender = parse_mailbox(channel.option("sender"));
	Request request;
	request.url = base_url(channel);
	request.encryption = encryption_of(channel);
	request.mail_from = sender.address;
	request.mail_to = message.recipient;
	request.body = format_email({.from = sender,
		.reply_to = channel.option("reply_to"),
		.to = message.recipient,
		.subject = message.subject,
		.text = message.body,
		.html = message.html,
		.id = message.id + sender.address.substr(sender.address.find('@')),
		.date = now});
	return request;
}

} // namespace automation::core
