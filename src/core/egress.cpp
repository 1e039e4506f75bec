#include "core/egress.hpp"

#include "core/channel_options.hpp"
#include "core/option_value.hpp"

namespace automation::core {

namespace {

constexpr std::string_view wrapper_options[] = {
	"allow_http", "allowed_networks", "allowed_ports", "ca_file"};

} // namespace

UrlPolicy Egress::url_policy(Kind kind) const
{
	UrlPolicy policy = kind == Kind::email ? email_policy() : webhook_policy();
	if (kind == Kind::sms)
		policy.purpose = "SMS";
	if (kind != Kind::email && allow_http)
		policy.schemes.emplace_back("http");
	policy.ports.insert(policy.ports.end(), allowed_ports.begin(), allowed_ports.end());
	policy.allowed_networks = allowed_networks;
	return policy;
}

Egress parse_egress(const Entries &options)
{
	Egress egress;
	for (const auto &[name, value] : options) {
		if (name == "allow_http")
			egress.allow_http = parse_boolean(name, value);
		else if (name == "allowed_networks")
			egress.allowed_networks = parse_networks(value);
		else if (name == "allowed_ports")
			egress.allowed_ports = parse_integers(name, value, 1, 65535);
		else if (name == "ca_file")
			egress.ca_file = value;
		else
			refuse_option(name, wrapper_options);
	}
	return egress;
}

} // namespace automation::core
