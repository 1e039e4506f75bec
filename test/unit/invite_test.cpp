#include "core/invite.hpp"

#include "failure_of.hpp"

#include <sstream>

using namespace automation::core;

namespace {

Invite visit()
{
	return {.uid = "0123",
		.sequence = 7,
		.made = "20300401T080000Z",
		.start = "20300501T080000Z",
		.end = "20300501T090000Z",
		.summary = "Visit",
		.location = {},
		.description = {},
		.attendees = {"ann@x.example"}};
}

std::string written(const Invite &invite)
{
	return format_invite(invite, "office@y.example", "The \"Office\"");
}

} // namespace

TEST(Invite, says_what_there_is)
{
	EXPECT_EQ(written(visit()),
		"BEGIN:VCALENDAR\r\nPRODID:-//pg_automation//EN\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\n"
		"BEGIN:VEVENT\r\nUID:0123\r\nSEQUENCE:7\r\nDTSTAMP:20300401T080000Z\r\n"
		"DTSTART:20300501T080000Z\r\nDTEND:20300501T090000Z\r\nSUMMARY:Visit\r\n"
		"STATUS:CONFIRMED\r\nORGANIZER;CN=\"The 'Office'\":mailto:office@y.example\r\n"
		"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:ann@x.\r\n"
		" example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
	Invite invite = visit();
	invite.is_cancelled = true;
	EXPECT_NE(written(invite).find("METHOD:CANCEL\r\n"), std::string::npos);
	EXPECT_NE(written(invite).find("STATUS:CANCELLED\r\n"), std::string::npos);
}

TEST(Invite, no_text_leaves_its_line)
{
	Invite invite = visit();
	invite.summary = "a;b,c\\d\r\nATTENDEE:mailto:evil@x.example\x01";
	invite.location = std::string(100, 'x') + "日本日本日本日本日本日本日本日本日本日本日本";
	const std::string text = written(invite);
	EXPECT_NE(text.find("SUMMARY:a\\;b\\,c\\\\d\\nATTENDEE:mailto:evil@x.example\r\n"),
		std::string::npos);
	std::istringstream lines(text);
	for (std::string line; std::getline(lines, line);) {
		EXPECT_LE(line.size(), 76U) << line; // with its \r
		EXPECT_TRUE(line.size() < 2 || line[0] != ' ' || (line[1] & 0xc0) != 0x80) << line;
	}
}

TEST(Invite, what_is_none)
{
	Invite invite = visit();
	invite.start = "20300501T080000";
	EXPECT_STREQ(failure_of([&] { written(invite); }).sqlstate, "22023");
	invite = visit();
	invite.attendees = {"ann@x.example\r\nX:y"};
	EXPECT_STREQ(failure_of([&] { written(invite); }).sqlstate, "22023");
}
