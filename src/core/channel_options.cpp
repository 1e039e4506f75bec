#include "core/channel_options.hpp"

#include "core/ascii.hpp"
#include "core/failure.hpp"
#include "core/header.hpp"
#include "core/limits.hpp"
#include "core/mime.hpp"
#include "core/provider.hpp"
#include "core/recipient.hpp"
#include "core/retry.hpp"
#include "core/signature.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace automation::core {

namespace {

constexpr std::string_view common_options[] = {"channel", "provider", "base_url"};
constexpr std::string_view sms_options[] = {
	"sender", "path", "method", "content_type", "body", "stop_reply", "start_reply", "help_reply"};
constexpr std::string_view email_options[] = {"sender", "reply_to", "starttls", "unsubscribe_url"};
constexpr std::string_view mapping_options[] = {"username", "password", "token", "signing_secret"};
constexpr std::string_view secrets[] = {
	"password", "token", "signing_secret", "auth_token", "api_key", "secret", "auth"};

constexpr std::size_t account_sid_length = 34;
constexpr std::size_t longest_username = 255;

bool is_one_of(std::string_view name, std::span<const std::string_view> names)
{
	return std::ranges::find(names, name) != names.end();
}

[[noreturn]] void fail(const std::string &message, Advice advice = {})
{
	throw Failure("22023", message, std::move(advice));
}

const std::string &required(const Entries &options, std::string_view name, Kind kind)
{
	if (const std::string *value = find(options, name); value && !value->empty())
		return *value;
	throw Failure("HV00J",
		fmt::format("option \"{}\" is required for channels of type \"{}\"", name, name_of(kind)));
}

using Names = std::vector<std::string_view>;

void append(Names &names, std::span<const std::string_view> more)
{
	for (const std::string_view name : more)
		if (!is_one_of(name, names))
			names.push_back(name);
}

// Of any kind when none is given.
Names options_of(std::optional<Kind> kind)
{
	Names names;
	append(names, common_options);
	if (!kind || *kind == Kind::sms)
		append(names, sms_options);
	if (!kind || *kind == Kind::email)
		append(names, email_options);
	append(names, policy_options());
	append(names, limit_options());
	return names;
}

std::span<const std::string_view> providers_of(Kind kind)
{
	static constexpr std::string_view sms[] = {"twilio", "http"};
	static constexpr std::string_view email[] = {"smtp"};
	static constexpr std::string_view webhook[] = {"http"};
	if (kind == Kind::sms)
		return sms;
	return kind == Kind::email ? std::span<const std::string_view>(email) : webhook;
}

Kind kind_of(const Entries &options)
{
	const std::string *name = find(options, "channel");
	if (!name)
		throw Failure("HV00J", "option \"channel\" is required",
			{.hint = "Valid values are: sms, email, webhook."});
	const std::optional<Kind> kind = kind_named(*name);
	if (!kind)
		fail(fmt::format("unrecognized channel type: \"{}\"", *name),
			{.hint = "Valid types are: sms, email, webhook."});
	return *kind;
}

void check_names(const Entries &options, std::span<const std::string_view> valid)
{
	for (const Entry &option : options) {
		if (is_one_of(option.name, secrets))
			throw Failure("HV00D",
				fmt::format("option \"{}\" is not allowed for a server", option.name),
				{.detail = "Server options are visible to all users.",
					.hint = "Use CREATE USER MAPPING."});
		if (!is_one_of(option.name, valid))
			refuse_option(option.name, valid);
	}
}

// Text that ends up on one line of a protocol.
void check_line(const Entry &option)
{
	if (std::ranges::any_of(option.value, is_control))
		fail(fmt::format("option \"{}\" contains a control character", option.name));
}

void check_sms(const Entries &options)
{
	const std::string provider = value_or(options, "provider", providers_of(Kind::sms)[0]);
	required(options, "sender", Kind::sms);
	if (provider == "http")
		required(options, "base_url", Kind::sms);
	for (const std::string_view name : {"path", "method", "content_type", "body"})
		if (provider != "http" && find(options, name))
			fail(fmt::format("option \"{}\" is for provider \"http\"", name));
	const std::string method = value_or(options, "method", "POST");
	if (method != "POST" && method != "PUT" && method != "GET")
		fail(fmt::format("unrecognized method: \"{}\"", method), {.hint = "Use POST, PUT or GET."});
	for (const std::string_view name : {"path", "body"})
		fill(value_or(options, name, ""), sms_fields({}, {}), "");
}

void check_email(const Entries &options)
{
	required(options, "base_url", Kind::email);
	check_email_address(parse_mailbox(required(options, "sender", Kind::email)).address);
	if (const std::string *reply_to = find(options, "reply_to"))
		check_email_address(*reply_to);
	const std::string *unsubscribe = find(options, "unsubscribe_url");
	if (unsubscribe &&
		(!unsubscribe->starts_with("https://") ||
			unsubscribe->find_first_of(" <>,") != std::string::npos ||
			unsubscribe->find(token_field) == std::string::npos))
		fail("invalid unsubscribe_url",
			{.detail = "Expected \"https://\", and \"{{token}}\" where the token is to stand."});
	const std::string starttls = value_or(options, "starttls", "required");
	if (starttls != "required" && starttls != "optional" && starttls != "off")
		fail(fmt::format("unrecognized starttls: \"{}\"", starttls),
			{.hint = "Valid values are: required, optional, off."});
}

} // namespace

void refuse_option(std::string_view name, std::span<const std::string_view> valid)
{
	throw Failure("HV00D", fmt::format("invalid option \"{}\"", name),
		{.hint = fmt::format("Valid options in this context are: {}.", fmt::join(valid, ", "))});
}

void check_server_options(const Entries &options, const Egress &egress)
{
	if (!find(options, "channel"))
		check_names(options, options_of({})); // a wrong name is the better message
	const Kind kind = kind_of(options);
	check_names(options, options_of(kind));
	std::ranges::for_each(options, [](const Entry &option) {
		if (option.name != "body")
			check_line(option);
	});

	const auto providers = providers_of(kind);
	if (const std::string *provider = find(options, "provider"))
		if (!is_one_of(*provider, providers))
			fail(fmt::format("unrecognized provider: \"{}\"", *provider),
				{.hint = fmt::format("Valid providers of channels of type \"{}\" are: {}.",
					 name_of(kind), fmt::join(providers, ", "))});
	if (kind == Kind::sms)
		check_sms(options);
	else if (kind == Kind::email)
		check_email(options);
	else
		required(options, "base_url", kind);
	if (const std::string *url = find(options, "base_url"))
		check_url(*url, egress.url_policy(kind));
	parse_policy(options, {});
	parse_limits(options);
}

std::vector<std::string> check_mapping_options(const Entries &options)
{
	std::vector<std::string> in_the_clear;
	for (const Entry &option : options) {
		const auto &[name, value] = option;
		if (!is_one_of(name, mapping_options))
			refuse_option(name, mapping_options);
		check_line(option);
		if (name == "username") {
			if (value.size() > longest_username)
				fail("user name is too long");
		} else if (is_secret_reference(value)) {
			secret_name(value);
		} else {
			if (name == "signing_secret")
				signing_secrets(value);
			in_the_clear.push_back(name);
		}
	}
	return in_the_clear;
}

void check_credentials(const Channel &channel)
{
	const std::string provider = channel.option("provider", providers_of(channel.kind)[0]);
	const std::string *username = find(channel.credentials, "username");
	if (provider != "twilio" || !username)
		return;
	const bool valid = username->size() == account_sid_length && username->starts_with("AC") &&
		username->find_first_not_of("0123456789abcdefABCDEF", 2) == std::string::npos;
	if (!valid)
		fail("invalid account SID",
			{.detail = "Expected \"AC\" followed by 32 hexadecimal digits."});
}

bool is_secret_reference(std::string_view value)
{
	return value.starts_with("file:");
}

std::string secret_name(std::string_view reference)
{
	const std::string_view name = reference.substr(std::string_view("file:").size());
	if (name.find('/') != name.npos)
		fail("secret name must not contain a path separator");
	if (name.empty() || name.starts_with('.') || std::ranges::any_of(name, is_control))
		fail("invalid secret name", {.detail = "Expected \"file:\" and the name of a file."});
	return std::string(name);
}

} // namespace automation::core
