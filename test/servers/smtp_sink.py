#!/usr/bin/python3
"""An SMTP server that keeps what it is sent and answers as the recipient tells it to.

Each message becomes one JSON line: from, to, message (as it came, headers and all), headers, subject,
parts (type, text), helo, tls (the protocol, or null), auth (the user, or null), status.

The recipient's local part tells what to answer; "+anything" behind it makes addresses differ. A
sender's reject550@ and tempfail451@ are the answers to MAIL FROM:
  reject550@     this code to RCPT TO, for good            tempfail451@   the same, read as "later"
  gone@          550 to RCPT TO, with 5.1.1: there is no such mailbox
  fail2@         451 to RCPT TO so many times for this address, 250 from then on
  nodata451@     this code to DATA, before the message
  hangup@        the connection closed instead of an answer to RCPT TO
  data554@       this code after the message was received (which is not kept then)
  delay1000@     so many milliseconds before the answer to the message
  cut@           the message is kept, and the connection closed without an answer
"""

import asyncio
import collections
import email
import email.policy
import logging
import re
import signal
import warnings

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

import sink

ORDER = re.compile(r"(reject|tempfail|gone|fail|nodata|data|delay|cut|hangup)(\d*)(\+.*)?@", re.IGNORECASE)
REASONS = {"reject": "No such user here", "tempfail": "Try again later", "data": "Not accepted"}


def order(recipient):
    """What an address tells us to do: its word and its number."""
    match = ORDER.match(recipient)
    return (match[1].lower(), int(match[2] or 0)) if match else (None, 0)


def parts(message):
    """The readable parts of a message, decoded."""
    found = []
    for part in message.walk():
        if part.is_multipart():
            continue
        content = part.get_content()
        found.append(
            {
                "type": part.get_content_type(),
                "filename": part.get_filename(),
                "text": content if isinstance(content, str) else f"<{len(content)} bytes>",
            }
        )
    return found


def kept(envelope, session, transport):
    """An accepted message as the journal has it."""
    raw = envelope.original_content
    message = email.message_from_bytes(raw, policy=email.policy.default)
    cipher = transport.get_extra_info("ssl_object")
    return {
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "subject": str(message["Subject"]),
        "headers": [[name, str(value)] for name, value in message.items()],
        "parts": parts(message),
        "message": raw.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode("utf-8"),
        "helo": session.host_name,
        "tls": cipher.version() if cipher else None,
        "auth": session.auth_data.login.decode() if session.auth_data else None,
        "status": 250,
    }


def describe(message):
    fields = [("From", message["from"]), ("To", ", ".join(message["to"])), ("Subject", message["subject"])]
    readable = [part["text"] for part in message["parts"] if part["type"] == "text/plain"]
    return sink.paragraph("SMTP message  ->  250", fields, "\n".join(readable))


class Handler:
    def __init__(self, journal):
        self._journal = journal
        self._refused = collections.Counter()

    async def handle_MAIL(self, _server, _session, envelope, address, mail_options):
        word, number = order(address)
        if word in ("reject", "tempfail"):
            return f"{number} {REASONS[word]}"
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 OK"

    async def handle_RCPT(self, server, _session, envelope, address, rcpt_options):
        word, number = order(address)
        if word == "hangup":
            server.transport.abort()
        if word in ("reject", "tempfail"):
            return f"{number} {REASONS[word]}"
        if word == "gone":
            return f"550 5.1.1 <{address}>: {REASONS['reject']}"
        if word == "fail" and self._refused[address] < number:
            self._refused[address] += 1
            return "451 Try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        orders = dict(order(recipient) for recipient in envelope.rcpt_tos)
        if "data" in orders:
            return f"{orders['data']} {REASONS['data']}"
        self._journal.add(kept(envelope, session, server.transport))
        await asyncio.sleep(orders.get("delay", 0) / 1000)
        if "cut" in orders:
            server.transport.abort()
        return "250 OK"


class Server(SMTP):
    """That may greet with another code, and refuse DATA."""

    greeting = None

    def connection_made(self, transport):
        if self.greeting:
            transport.write(f"{self.greeting} Not now\r\n".encode())
            transport.close()
            return
        super().connection_made(transport)

    async def smtp_DATA(self, arg):
        orders = dict(order(recipient) for recipient in self.envelope.rcpt_tos) if self.envelope else {}
        if "nodata" in orders:
            await self.push(f"{orders['nodata']} {REASONS['tempfail']}")
            return
        await super().smtp_DATA(arg)


def authenticator(expected):
    """Accepts exactly this user:password."""

    def check(_server, _session, _envelope, _mechanism, data):
        known = isinstance(data, LoginPassword) and b"%b:%b" % (data.login, data.password) == expected
        return AuthResult(success=known, handled=False, auth_data=data)

    return check


def protocol(arguments, handler, context):
    """One connection's worth of server, as the options want it."""
    user = arguments.auth.encode() if arguments.auth else None
    starttls = arguments.tls in ("starttls", "required")
    Server.greeting = arguments.greeting
    return Server(
        handler,
        hostname="sink.test",
        enable_SMTPUTF8=True,
        tls_context=context if starttls else None,
        require_starttls=arguments.tls == "required",
        authenticator=authenticator(user) if user else None,
        auth_required=bool(user),
        auth_require_tls=starttls,
    )


async def serve(arguments):
    context = sink.tls_context(arguments) if arguments.tls != "none" else None
    handler = Handler(sink.Journal(arguments, describe))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: protocol(arguments, handler, context),
        arguments.host,
        arguments.port,
        ssl=context if arguments.tls == "implicit" else None,
    )
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    sink.announce(arguments, server.sockets[0].getsockname()[1])
    await done.wait()


def main():
    # aiosmtpd warns of each login without TLS; here that is one of the cases to be tried.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="aiosmtpd")
    parser = sink.options(__doc__)
    parser.add_argument(
        "--tls",
        choices=("none", "starttls", "required", "implicit"),
        default="none",
        help="starttls: offered; required: nothing goes before it; implicit: smtps",
    )
    parser.add_argument("--greeting", metavar="CODE", help="turn every client away with this code")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="who may send (all, when not given)")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
