// What comes in from outside, checked with the credentials that messages go out with.
#pragma once

#include "core/message.hpp"
#include "pg/spi.hpp"

#include <string>

namespace automation::worker {

// Whether Twilio has signed a call to the URL, with the token that the sender uses on the channel.
// Throws Failure when that cannot be had.
bool has_twilio_signature(pg::Oid server, pg::Oid sender, const std::string &url,
	const core::Entries &parameters, const std::string &signature);

} // namespace automation::worker
