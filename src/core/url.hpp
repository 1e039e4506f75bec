// Checks of a URL's text, before anything is looked up.
#pragma once

#include "core/address.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace automation::core {

struct Url {
	std::string scheme; // lower case
	std::string host;	// lower case, an IPv6 address without its brackets
	int port = 0;		// the scheme's own when the text names none
	std::string path;	// with the query; empty when the text ends after the host
};

// What a URL may be.  Once networks are allowed, which takes a superuser, any port is.
struct UrlPolicy {
	std::string_view purpose; // for messages: "webhooks"
	std::vector<std::string_view> schemes;
	std::vector<int> ports;
	std::vector<Network> allowed_networks = {};
};

// https only; http needs a superuser's word (option allow_http): add it to schemes.
UrlPolicy webhook_policy();

// smtp and smtps, at the ports where mail servers listen.
UrlPolicy email_policy();

// Throws Failure 22023, or 42501 when the host is an address that we may not call.  What a name
// resolves to is for the moment of the connection.
Url check_url(std::string_view text, const UrlPolicy &policy);

} // namespace automation::core
