#include "worker/callback.hpp"

#include "core/provider.hpp"
#include "core/twilio.hpp"
#include "pg/hmac.hpp"
#include "worker/directory.hpp"

namespace automation::worker {

bool has_twilio_signature(pg::Oid server, pg::Oid sender, const std::string &url,
	const core::Entries &parameters, const std::string &signature)
{
	Directory directory;
	directory.refresh();
	const Contact &contact = directory.find(server, sender);
	if (contact.problem)
		throw core::Failure(*contact.problem);
	return core::has_twilio_signature(
		signature, core::needed(contact.channel, "password"), url, parameters, pg::hmac_sha1);
}

} // namespace automation::worker
