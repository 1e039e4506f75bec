#include "core/invite.hpp"

#include "core/ascii.hpp"
#include "core/failure.hpp"
#include "core/recipient.hpp"

#include <algorithm>
#include <string_view>

namespace automation::core {

namespace {

constexpr std::size_t longest_line = 75; // bytes

// Folded, no character divided.
std::string line(std::string_view text)
{
	std::string folded;
	std::size_t room = longest_line;
	while (text.size() > room) {
		std::size_t end = room;
		while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80 && end > 1)
			--end;
		folded += text.substr(0, end);
		folded += "\r\n ";
		text.remove_prefix(end);
		room = longest_line - 1;
	}
	folded += text;
	return folded + "\r\n";
}

std::string text_line(std::string_view name, std::string_view text)
{
	std::string value(name);
	for (std::size_t at = 0; at < text.size(); ++at) {
		const char c = text[at];
		if (c == '\r' && at + 1 < text.size() && text[at + 1] == '\n')
			continue;
		if (c == '\n' || c == '\r')
			value += "\\n";
		else if (c == '\\' || c == ';' || c == ',')
			(value += '\\') += c;
		else if (!is_control(c) || c == '\t')
			value += c;
	}
	return line(value);
}

std::string time_line(std::string_view name, const std::string &time)
{
	constexpr std::string_view shape = "00000000T000000Z";
	const bool valid = std::ranges::equal(
		time, shape, [](char c, char like) { return like == '0' ? is_digit(c) : c == like; });
	if (!valid)
		throw Failure("22023", "invalid time of an invitation");
	return line(std::string(name) + time);
}

// Within quotes, where no quote can be.
std::string common_name(std::string_view name)
{
	if (name.empty())
		return {};
	std::string value = ";CN=\"";
	for (const char c : name)
		value += c == '"' || is_control(c) ? '\'' : c;
	return value + '"';
}

} // namespace

const char *method_of(const Invite &invite)
{
	return invite.is_cancelled ? "CANCEL" : "REQUEST";
}

std::string format_invite(
	const Invite &invite, const std::string &organizer, const std::string &organizer_name)
{
	check_email_address(organizer);
	std::string calendar = line("BEGIN:VCALENDAR");
	calendar += line("PRODID:-//pg_automation//EN");
	calendar += line("VERSION:2.0");
	calendar += line(std::string("METHOD:") + method_of(invite));
	calendar += line("BEGIN:VEVENT");
	calendar += text_line("UID:", invite.uid);
	calendar += line("SEQUENCE:" + std::to_string(invite.sequence));
	calendar += time_line("DTSTAMP:", invite.made);
	calendar += time_line("DTSTART:", invite.start);
	calendar += time_line("DTEND:", invite.end);
	calendar += text_line("SUMMARY:", invite.summary);
	if (!invite.location.empty())
		calendar += text_line("LOCATION:", invite.location);
	if (!invite.description.empty())
		calendar += text_line("DESCRIPTION:", invite.description);
	calendar += line(std::string("STATUS:") + (invite.is_cancelled ? "CANCELLED" : "CONFIRMED"));
	calendar += line("ORGANIZER" + common_name(organizer_name) + ":mailto:" + organizer);
	for (const std::string &attendee : invite.attendees) {
		check_email_address(attendee);
		calendar += line(
			"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:" + attendee);
	}
	calendar += line("END:VEVENT");
	return calendar + line("END:VCALENDAR");
}

} // namespace automation::core
