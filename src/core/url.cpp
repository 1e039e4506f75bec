#include "core/url.hpp"

#include "core/ascii.hpp"
#include "core/domain.hpp"
#include "core/failure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace automation::core {
namespace {

constexpr std::size_t max_url_size = 2048;

[[noreturn]] void fail(const std::string &message, std::string hint = {})
{
	throw Failure("22023", message, {.hint = std::move(hint)});
}

[[noreturn]] void fail_invalid()
{
	// Without the text: it may hold a token.
	fail("invalid URL", "Write it as \"https://host/path\".");
}

void check_characters(std::string_view text)
{
	if (text.size() > max_url_size)
		throw Failure("22023", "URL is too long",
			{.detail = fmt::format("Maximum length is {} bytes.", max_url_size)});
	if (std::ranges::any_of(text, [](char c) { return is_control(c) || is_space(c); }))
		fail("URL must not contain spaces or control characters");
	const auto is_foreign = [](char c) {
		return !is_ascii(c) || std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos;
	};
	if (std::ranges::any_of(text, is_foreign))
		fail("URL contains a character that must be percent-encoded");
	if (text.find('#') != text.npos)
		fail("URL must not contain a fragment");
}

void check_scheme(const std::string &scheme, const UrlPolicy &policy)
{
	if (std::ranges::find(policy.schemes, scheme) != policy.schemes.end())
		return;
	const bool wants_https = std::ranges::find(policy.schemes, "https") != policy.schemes.end();
	if (scheme == "http" && wants_https)
		fail(policy.purpose == "webhooks" ? "webhook URL must use https" : "URL must use https",
			"A superuser can set allow_http on the foreign-data wrapper.");
	fail(fmt::format("URL scheme \"{}\" is not allowed", scheme),
		fmt::format("Use \"{}\".", policy.schemes.front()));
}

int default_port(std::string_view scheme)
{
	if (scheme == "https")
		return 443;
	if (scheme == "http")
		return 80;
	return scheme == "smtps" ? 465 : 25;
}

int parse_port(std::string_view text)
{
	int port = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
	if (error != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535)
		fail(fmt::format("invalid port \"{}\" in URL", text));
	return port;
}

void check_port(int port, const UrlPolicy &policy)
{
	const bool listed = std::ranges::find(policy.ports, port) != policy.ports.end();
	if (!listed && policy.allowed_networks.empty())
		fail(fmt::format("port {} is not allowed for {}", port, policy.purpose),
			fmt::format("Allowed ports are {}.", fmt::join(policy.ports, ", ")));
}

// "host", "host:port", "[v6]:port"
void read_authority(std::string_view authority, Url &url)
{
	if (authority.find('@') != authority.npos)
		fail("URL must not contain user name or password", "Store credentials in a user mapping.");
	const std::size_t bracket = authority.rfind(']');
	const std::size_t colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
	const std::string_view host = authority.substr(0, colon);
	url.port = colon == authority.npos ? default_port(url.scheme)
									   : parse_port(authority.substr(colon + 1));
	if (host.starts_with('[') && host.ends_with(']') && Address::from_host(host))
		url.host = lower(host.substr(1, host.size() - 2));
	else if (is_host_name(host.substr(0, host.size() - (host.ends_with('.') ? 1 : 0))))
		url.host = lower(host); // in ASCII: what curl would do with others is not ours to guess
	else
		fail_invalid();
}

} // namespace

UrlPolicy webhook_policy()
{
	return {.purpose = "webhooks", .schemes = {"https"}, .ports = {80, 443, 8443}};
}

UrlPolicy email_policy()
{
	return {.purpose = "email", .schemes = {"smtps", "smtp"}, .ports = {25, 465, 587, 2525}};
}

Url check_url(std::string_view text, const UrlPolicy &policy)
{
	check_characters(text);
	const std::size_t colon = text.find("://");
	if (colon == text.npos || !std::ranges::all_of(text.substr(0, colon), is_alphanumeric))
		fail_invalid();
	Url url{.scheme = lower(text.substr(0, colon)), .host = {}, .path = {}};
	check_scheme(url.scheme, policy);

	text.remove_prefix(colon + 3);
	const std::size_t authority = std::min(text.find_first_of("/?"), text.size());
	read_authority(text.substr(0, authority), url);
	url.path = text.substr(authority);
	check_port(url.port, policy);
	if (const std::optional<Address> address = Address::from_host(url.host))
		check_address(*address, policy.allowed_networks, policy.purpose);
	return url;
}

} // namespace automation::core
