// Invitations to an appointment: RFC 5545, as RFC 5546 has them sent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace automation::core {

struct Invite {
	std::string uid;		   // the same for all that is ever said of the appointment
	std::int64_t sequence = 0; // grows with each of these
	bool is_cancelled = false;
	std::string made, start, end; // UTC: "20300501T080000Z"
	std::string summary;
	std::string location;	 // may be empty
	std::string description; // may be empty
	std::vector<std::string> attendees;
};

const char *method_of(const Invite &invite);

// A VCALENDAR, from the organizer. Throws Failure 22023 when a time or an address is none.
std::string format_invite(
	const Invite &invite, const std::string &organizer, const std::string &organizer_name);

} // namespace automation::core
