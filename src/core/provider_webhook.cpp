#include "core/provider.hpp"

#include "core/ascii.hpp"
#include "core/failure.hpp"
#include "core/header.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace automation::core {

namespace {

constexpr std::string_view methods[] = {"POST", "PUT", "PATCH", "DELETE", "GET"};

} // namespace

void check_webhook_path(std::string_view path)
{
	const bool clean = std::ranges::all_of(
		path, [](char c) { return c > ' ' && c < 0x7f && c != '#' && c != '\\'; });
	if (!clean)
		throw Failure("22023",
			"path of the webhook must not contain spaces, control characters or a fragment");
}

Request webhook_request(const Channel &channel, const Message &message, std::int64_t now, Hmac hmac)
{
	Request request;
	check_webhook_path(message.path);
	// The part that the message adds cannot lead to another host: the base is never changed.
	request.url = join_url(base_url(channel), message.path);
	request.method = message.method.empty() ? "POST" : message.method;
	if (std::ranges::find(methods, request.method) == std::end(methods))
		throw Failure("22023", fmt::format("unrecognized method: \"{}\"", request.method));
	bool typed = request.method == "GET";
	for (const auto &[name, value] : message.headers) {
		check_header_name(name);
		check_header_value(name, value);
		typed = typed || lower(name) == "content-type";
		request.headers.push_back(fmt::format("{}{}{}", name, value.empty() ? ";" : ": ", value));
	}
	if (!typed)
		request.headers.emplace_back("Content-Type: application/json");
	request.headers.push_back("webhook-id: " + message.id);
	request.headers.push_back(fmt::format("webhook-timestamp: {}", now));
	request.body = message.body;
	if (const std::string *secrets = find(channel.credentials, "signing_secret"))
		request.headers.push_back(
			"webhook-signature: " + sign_webhook(message.id, now, message.body, *secrets, hmac));
	return request;
}

} // namespace automation::core
