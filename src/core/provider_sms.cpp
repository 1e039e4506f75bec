#include "core/provider.hpp"

#include "core/escape.hpp"
#include "core/failure.hpp"
#include "core/json.hpp"
#include "core/recipient.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace automation::core {

namespace {

constexpr std::size_t longest_sms = 1600; // characters
constexpr std::string_view default_type = "application/json";
constexpr std::string_view default_body =
	R"({"to": "{{recipient}}", "from": "{{sender}}", "body": "{{body}}", "id": "{{id}}"})";

void check_length(const std::string &body)
{
	const auto is_first_byte = [](char c) {
		return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
	};
	const auto length = static_cast<std::size_t>(std::ranges::count_if(body, is_first_byte));
	if (length > longest_sms)
		throw Failure("22001", fmt::format("message body has {} characters", length),
			{.detail = fmt::format("The maximum for SMS is {}.", longest_sms)});
}

std::string form(const Entries &fields)
{
	std::string text;
	for (const auto &[name, value] : fields) {
		text += text.empty() ? "" : "&";
		text += name + "=" + url_encode(value);
	}
	return text;
}

std::string json_escape(std::string_view text)
{
	const std::string quoted = json_string(text);
	return quoted.substr(1, quoted.size() - 2);
}

Request twilio_request(const Channel &channel, const Message &message)
{
	const std::string &account = needed(channel, "username");
	needed(channel, "password");
	const std::string sender = channel.option("sender");
	Request request;
	request.url =
		join_url(base_url(channel), fmt::format("/2010-04-01/Accounts/{}/Messages.json", account));
	request.method = "POST";
	request.headers = {"Content-Type: application/x-www-form-urlencoded"};
	request.body = form({{"To", message.recipient},
		{sender.starts_with("MG") ? "MessagingServiceSid" : "From", sender},
		{"Body", message.body}});
	return request;
}

Request described_request(const Channel &channel, const Message &message)
{
	const Entries fields = sms_fields(channel, message);
	const std::string type = channel.option("content_type", default_type);
	Request request;
	request.method = channel.option("method", "POST");
	request.url = join_url(base_url(channel),
		fill(channel.option("path"), fields, "application/x-www-form-urlencoded"));
	if (request.method == "GET")
		return request;
	request.headers = {"Content-Type: " + type, "webhook-id: " + message.id};
	request.body = fill(channel.option("body", default_body), fields, type);
	return request;
}

} // namespace

Entries sms_fields(const Channel &channel, const Message &message)
{
	return {{"recipient", message.recipient}, {"sender", channel.option("sender")},
		{"body", message.body}, {"id", message.id}};
}

std::string fill(std::string_view text, const Entries &fields, std::string_view content_type)
{
	std::string filled;
	while (!text.empty()) {
		const std::size_t open = std::min(text.find("{{"), text.size());
		const std::size_t close = text.find("}}", open);
		filled += text.substr(0, open);
		if (close == text.npos)
			return filled += text.substr(open);
		const std::string_view tag = text.substr(open + 2, close - open - 2);
		const std::string *value = find(fields, tag);
		if (!value)
			throw Failure("42703", fmt::format("merge field \"{}\" does not exist", tag),
				{.hint = "Valid fields are: recipient, sender, body, id."});
		const bool is_json = content_type.find("json") != content_type.npos;
		const bool is_form = content_type.find("urlencoded") != content_type.npos;
		filled += is_json ? json_escape(*value) : is_form ? url_encode(*value) : *value;
		text.remove_prefix(close + 2);
	}
	return filled;
}

Request sms_request(const Channel &channel, const Message &message)
{
	check_phone_number(message.recipient);
	check_length(message.body);
	return provider_of(channel) == "http" ? described_request(channel, message)
										  : twilio_request(channel, message);
}

} // namespace automation::core
