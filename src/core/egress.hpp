// Where messages may go: what a superuser says on the foreign-data wrapper.
#pragma once

#include "core/address.hpp"
#include "core/message.hpp"
#include "core/url.hpp"

#include <string>
#include <vector>

namespace automation::core {

struct Egress {
	bool allow_http = false;
	std::vector<Network> allowed_networks = {};
	std::vector<int> allowed_ports = {}; // besides the usual ones
	std::string ca_file = {};			 // certificates to trust instead of the system's

	UrlPolicy url_policy(Kind kind) const;
};

// From the wrapper's options. Throws Failure: HV00D for an unknown one, 22023 for a bad value.
Egress parse_egress(const Entries &options);

} // namespace automation::core
