#include "core/channel_options.hpp"
#include "core/option_value.hpp"

#include "failure_of.hpp"

using namespace automation::core;

namespace {

Entries sms()
{
	return {{"channel", "sms"}, {"sender", "+15005550006"}};
}

Entries email()
{
	return {{"channel", "email"}, {"base_url", "smtp://mail.example"},
		{"sender", "Office <o@x.example>"}};
}

Entries webhook()
{
	return {{"channel", "webhook"}, {"base_url", "https://hooks.example/in"}};
}

Entries with(Entries options, std::string_view name, std::string_view value)
{
	for (Entry &option : options)
		if (option.name == name) {
			option.value = value;
			return options;
		}
	options.push_back({std::string(name), std::string(value)});
	return options;
}

std::string refusal_of(const Entries &options, const Egress &egress = {})
{
	return report(failure_of([&] { check_server_options(options, egress); }));
}

std::string mapping_refusal_of(std::string_view name, std::string_view value)
{
	return report(failure_of([&] {
		check_mapping_options({{std::string(name), std::string(value)}});
	}));
}

} // namespace

TEST(ServerOptions, good_ones_pass)
{
	EXPECT_NO_THROW(check_server_options(sms(), {}));
	EXPECT_NO_THROW(check_server_options(email(), {}));
	EXPECT_NO_THROW(check_server_options(webhook(), {}));
	EXPECT_NO_THROW(check_server_options(
		with(with(sms(), "provider", "http"), "base_url", "https://s.example"), {}));
	EXPECT_NO_THROW(check_server_options(with(webhook(), "retry_delay", "500ms"), {}));
}

TEST(ServerOptions, names)
{
	EXPECT_EQ(refusal_of(with(webhook(), "bogus", "1")),
		"HV00D invalid option \"bogus\" | Valid options in this context are: channel, provider, "
		"base_url, max_attempts, retry_delay, retry_max_delay, retry_schedule, on_unknown, "
		"expires_after, rate_limit, max_in_flight, breaker_failures, breaker_pause.");
	EXPECT_EQ(refusal_of(with(webhook(), "auth_token", "1")),
		"HV00D option \"auth_token\" is not allowed for a server | Server options are visible to "
		"all "
		"users. | Use CREATE USER MAPPING.");
	EXPECT_EQ(refusal_of({{"channel", "webhook"}}),
		"HV00J option \"base_url\" is required for channels of type \"webhook\"");
	EXPECT_EQ(refusal_of({{"base_url", "https://x.example"}}),
		"HV00J option \"channel\" is required | Valid values are: sms, email, webhook.");
	EXPECT_EQ(refusal_of({{"channel", "sms"}}),
		"HV00J option \"sender\" is required for channels of type \"sms\"");
	EXPECT_EQ(refusal_of({{"channel", "fax"}}),
		"22023 unrecognized channel type: \"fax\" | Valid types are: sms, email, webhook.");
}

TEST(ServerOptions, values)
{
	EXPECT_EQ(refusal_of(with(sms(), "provider", "pigeon")),
		"22023 unrecognized provider: \"pigeon\" | Valid providers of channels of type \"sms\" "
		"are: "
		"twilio, http.");
	EXPECT_EQ(refusal_of(with(webhook(), "max_attempts", "51")),
		"22023 max_attempts must be between 1 and 50");
	EXPECT_EQ(refusal_of(with(webhook(), "max_attempts", "x")),
		"22023 max_attempts must be between 1 and 50");
	EXPECT_EQ(refusal_of(with(sms(), "sender", "a\nb")),
		"22023 option \"sender\" contains a control character");
	EXPECT_EQ(
		refusal_of(with(email(), "sender", "a@b@c")), "22023 invalid email address \"a@b@c\"");
	EXPECT_EQ(refusal_of(with(email(), "starttls", "maybe")),
		"22023 unrecognized starttls: \"maybe\" | Valid values are: required, optional, off.");
	EXPECT_EQ(
		refusal_of(with(sms(), "path", "/x")), "22023 option \"path\" is for provider \"http\"");
	const Entries described =
		with(with(sms(), "provider", "http"), "base_url", "https://s.example");
	EXPECT_EQ(refusal_of(with(described, "body", "{{recipiant}}")),
		"42703 merge field \"recipiant\" does not exist | Valid fields are: recipient, sender, "
		"body, id.");
}

TEST(ServerOptions, urls_obey_the_policy_of_the_wrapper)
{
	const Entries plain = with(webhook(), "base_url", "http://hooks.example");
	EXPECT_EQ(refusal_of(plain),
		"22023 webhook URL must use https | A superuser can set allow_http on the foreign-data "
		"wrapper.");
	const Entries local = with(webhook(), "base_url", "http://127.0.0.1:8080/");
	EXPECT_EQ(failure_of([&] { check_server_options(local, {.allow_http = true}); }).sqlstate,
		std::string("22023"))
		<< "the port";
	const Egress open = parse_egress({{"allow_http", "true"}, {"allowed_networks", "127.0.0.0/8"}});
	EXPECT_NO_THROW(check_server_options(plain, open));
	EXPECT_NO_THROW(check_server_options(local, open));
	EXPECT_NO_THROW(check_server_options(with(webhook(), "base_url", "https://x.example:9443"),
		parse_egress({{"allowed_ports", "9443, 9444"}})));
	EXPECT_EQ(
		refusal_of(with(webhook(), "base_url", "https://169.254.169.254/")).substr(0, 5), "42501");
	EXPECT_EQ(refusal_of(with(webhook(), "base_url", "https://x.example:25/")).substr(0, 40),
		"22023 port 25 is not allowed for webhook");
	EXPECT_EQ(refusal_of(with(email(), "base_url", "https://x.example")).substr(0, 5), "22023");
}

TEST(WrapperOptions, are_checked)
{
	EXPECT_EQ(report(failure_of([] {
		parse_egress({{"bogus", "1"}});
	})),
		"HV00D invalid option \"bogus\" | Valid options in this context are: allow_http, "
		"allowed_networks, allowed_ports, ca_file.");
	EXPECT_EQ(report(failure_of([] {
		parse_egress({{"allow_http", "perhaps"}});
	})),
		"22023 invalid value for option \"allow_http\": \"perhaps\" | Use \"true\" or \"false\".");
	EXPECT_EQ(failure_of([] {
		parse_egress({{"allowed_networks", "127.0.0.1/8"}});
	}).sqlstate,
		std::string("22023"));
	EXPECT_EQ(failure_of([] {
		parse_egress({{"allowed_ports", "80,99999"}});
	}).sqlstate,
		std::string("22023"));
}

TEST(MappingOptions, references_pass_and_secrets_in_the_clear_are_told)
{
	EXPECT_TRUE(check_mapping_options({}).empty());
	EXPECT_TRUE(check_mapping_options({{"username", "AC1"}, {"password", "file:twilio"}}).empty());
	EXPECT_EQ(check_mapping_options({{"password", "x"}, {"token", "y"}}),
		(std::vector<std::string>{"password", "token"}));
}

TEST(MappingOptions, are_checked)
{
	EXPECT_EQ(mapping_refusal_of("bogus", "x"),
		"HV00D invalid option \"bogus\" | Valid options in this context are: username, password, "
		"token, "
		"signing_secret.");
	EXPECT_EQ(mapping_refusal_of("password", "file:../x"),
		"22023 secret name must not contain a path separator");
	EXPECT_EQ(mapping_refusal_of("password", "file:"),
		"22023 invalid secret name | Expected \"file:\" and the name of a file.");
	EXPECT_EQ(mapping_refusal_of("token", "a\r\nb"),
		"22023 option \"token\" contains a control character");
}

TEST(MappingOptions, signing_secrets)
{
	const auto secret = [](std::size_t characters, const char *end = "") {
		return "whsec_" + std::string(characters, 'A') + end;
	};
	EXPECT_NO_THROW(check_mapping_options({{"signing_secret", secret(32)}}));		// 24 bytes
	EXPECT_NO_THROW(check_mapping_options({{"signing_secret", secret(86, "==")}})); // 64 bytes
	for (const std::string &bad : {secret(28), secret(87, "="), secret(33), std::string(38, 'A'),
			 secret(31, "!"), secret(29, "===")})
		EXPECT_EQ(mapping_refusal_of("signing_secret", bad),
			"22023 invalid signing secret | The secret must be \"whsec_\" followed by 24 to 64 "
			"bytes in base64.")
			<< bad;
}

TEST(Credentials, of_twilio)
{
	Channel channel{
		.name = "t", .kind = Kind::sms, .options = sms(), .credentials = {{"username", "AC123"}}};
	EXPECT_EQ(report(failure_of([&] { check_credentials(channel); })),
		"22023 invalid account SID | Expected \"AC\" followed by 32 hexadecimal digits.");
	channel.credentials = {{"username", "AC0123456789abcdef0123456789ABCDEF"}};
	EXPECT_NO_THROW(check_credentials(channel));
	channel.credentials = {};
	EXPECT_NO_THROW(check_credentials(channel));
	channel.options = with(with(sms(), "provider", "http"), "base_url", "https://s.example");
	channel.credentials = {{"username", "anybody"}};
	EXPECT_NO_THROW(check_credentials(channel));
}

TEST(OptionValue, durations)
{
	using namespace std::chrono;
	EXPECT_EQ(parse_duration("d", "500ms", hours(24)), milliseconds(500));
	EXPECT_EQ(parse_duration("d", "5", hours(24)), seconds(5));
	EXPECT_EQ(parse_duration("d", "5s", hours(24)), seconds(5));
	EXPECT_EQ(parse_duration("d", "10min", hours(24)), minutes(10));
	EXPECT_EQ(parse_duration("d", "24h", hours(24)), hours(24));
	for (const char *bad : {"", "s", "5 s", "-1s", "25h", "99999999999999", "5d", "1.5s"})
		EXPECT_STREQ(failure_of([&] { parse_duration("d", bad, hours(24)); }).sqlstate, "22023")
			<< bad;
}

TEST(OptionValue, lists_of_numbers)
{
	EXPECT_EQ(parse_integers("p", "80, 443 8080,", 1, 65535), (std::vector<int>{80, 443, 8080}));
	EXPECT_EQ(parse_integers("p", "", 1, 65535), std::vector<int>());
}
