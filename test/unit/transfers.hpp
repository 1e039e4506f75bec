// What tests of requests that really leave have in common.
#pragma once

#include "core/egress.hpp"
#include "pg/fault.hpp"
#include "worker/transfer.hpp"

#include <poll.h>
#include <string>

// There are no faults here to strike with.
bool automation::pg::detail::strike(const char *) noexcept
{
	return false;
}

inline automation::core::Request request_to(const std::string &url)
{
	automation::core::Request request;
	request.url = url;
	request.method = "POST";
	request.body = "{}";
	return request;
}

inline automation::core::Egress allowing(const std::string &networks)
{
	automation::core::Entries options = {{"allow_http", "true"}};
	if (!networks.empty())
		options.push_back({"allowed_networks", networks});
	return automation::core::parse_egress(options);
}

inline automation::worker::Finished first_finished(automation::worker::Transfers &transfers)
{
	for (;;) {
		pollfd wait{transfers.descriptor(), POLLIN, 0};
		poll(&wait, 1, 5);
		if (auto finished = transfers.take_finished(); !finished.empty())
			return finished.front();
	}
}
