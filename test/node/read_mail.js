// A message from standard input, as mailparser and ical.js read it: JSON.
const ICAL = require(`${process.env.NODE_PATH}/ical.js/dist/ical.es5.cjs`);
const { simpleParser } = require("mailparser");

function appointment(attachment) {
  const calendar = new ICAL.Component(ICAL.parse(attachment.content.toString("utf8")));
  const event = calendar.getFirstSubcomponent("vevent");
  const all = (name) => event.getAllProperties(name).map((property) => property.getFirstValue().toString());
  return {
    method: calendar.getFirstPropertyValue("method"),
    uid: all("uid")[0],
    sequence: Number(all("sequence")[0]),
    start: all("dtstart")[0],
    end: all("dtend")[0],
    summary: all("summary")[0],
    location: all("location")[0],
    description: all("description")[0],
    status: all("status")[0],
    organizer: all("organizer")[0],
    attendees: all("attendee"),
  };
}

async function main() {
  const mail = await simpleParser(process.stdin);
  const calendars = mail.attachments.filter((attachment) => attachment.contentType === "text/calendar");
  console.log(
    JSON.stringify({
      from: mail.from.value,
      to: mail.to.value,
      replyTo: mail.replyTo?.value[0].address,
      subject: mail.subject,
      messageId: mail.messageId,
      text: mail.text,
      html: mail.html,
      unsubscribe: mail.headers.get("list")?.unsubscribe,
      unsubscribePost: mail.headerLines.find((line) => line.key === "list-unsubscribe-post")?.line,
      attachments: mail.attachments
        .filter((attachment) => attachment.contentType !== "text/calendar")
        .map((attachment) => ({ name: attachment.filename, type: attachment.contentType, md5: attachment.checksum, size: attachment.size })),
      appointments: calendars.map(appointment),
    })
  );
}
main();
