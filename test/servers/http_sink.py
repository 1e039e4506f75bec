#!/usr/bin/python3
"""An HTTP server that keeps what it is sent and answers as the path tells it to.

Each request becomes one JSON line: method, path, query, headers, body (and form, json where it is
one), connection (requests on one connection share it), tls, status (what was answered); with
--signing-secret also verified: of which of the secrets the webhook has a right signature.

Pairs of words in the path tell what to answer; they can be strung together:
  /status/503            answer with this status            (200 otherwise)
  /retry-after/2         with this Retry-After header; a date goes as /retry-after/Fri,%2031%20Dec...
  /location/URL          with this Location header (percent-encoded)
  /delay/1000            after so many milliseconds
  /fail-then-ok/2        503 (or /status) so many times for this very path, 200 from then on
  /fill/100000           with a body of so many bytes; /fill/endless: until the client has enough
  /echo/any              with the request's own headers in the body
  /headers/400000        with so many bytes of headers
  /early/103             with this status, and then the other one
  /drip/100              one byte of the answer each so many milliseconds
  /garbage/any           with something that is no HTTP
  /cut/unread            close the connection before the request was read
  /cut/again             the same, when there was another one on it before
  /cut/unanswered        close it after the request was kept, without an answer
  /cut/reset             the same, with a reset
  /cut/midway            close it in the middle of the answer
  /code/21610            with this error code in the body, as Twilio has them
A path that ends in /Messages.json is answered as Twilio does: 201 and a message with a sid.
"""

import base64
import collections
import hashlib
import hmac
import http.server
import json
import signal
import socket
import sys
import threading
import time
import urllib.parse

import sink

WORDS = ("status", "retry-after", "location", "delay", "fail-then-ok", "fill", "echo", "headers", "early", "drip", "garbage", "cut", "code")


def orders(path):
    """The pairs of words in a path, as a dictionary."""
    words = [urllib.parse.unquote(word) for word in path.split("/")]
    return {word: value for word, value in zip(words, words[1:]) if word in WORDS}


def readable(body):
    """A body as text, or in base64 where it is none."""
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode("ascii")}


def parsed(body, kind):
    """A body's fields, where its type says how to read them."""
    try:
        if kind == "application/json":
            return {"json": json.loads(body)}
        if kind == "application/x-www-form-urlencoded":
            return {"form": dict(urllib.parse.parse_qsl(body.decode("utf-8"), keep_blank_values=True))}
    except ValueError:
        pass
    return {}


def verified(headers, body, secrets):
    """The numbers, from 1, of the secrets that have signed the request, as Standard Webhooks has it."""
    signatures = headers.get("webhook-signature", "").split(" ")
    signed = b".".join([headers.get("webhook-id", "").encode(), headers.get("webhook-timestamp", "").encode(), body])
    if abs(time.time() - int(headers.get("webhook-timestamp", 0))) > 300:
        return []
    found = []
    for number, secret in enumerate(secrets, 1):
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest(f"v1,{expected}", signature) for signature in signatures):
            found.append(number)
    return found


def describe(message):
    title = f"HTTP {message['method']} {message['path']}  ->  {message['status']}"
    if "form" in message:
        return sink.paragraph(title, list(message["form"].items()), "")
    shown = [
        (name, value)
        for name, value in message["headers"]
        if name.lower() not in ("host", "accept", "accept-encoding", "content-length", "connection")
    ]
    if "json" in message:
        return sink.paragraph(title, shown, json.dumps(message["json"], indent=2, ensure_ascii=False))
    return sink.paragraph(title, shown, message.get("body", ""))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "http_sink"
    disable_nagle_algorithm = True
    requests = 0  # on this connection

    def handle_request(self):
        split = urllib.parse.urlsplit(self.path)
        order = orders(split.path)
        self.requests += 1
        if order.get("cut") == "unread" or (order.get("cut") == "again" and self.requests > 1):
            self.cut()
            return
        body = self.body()
        status = self.status(order, split.path)
        self.server.journal.add(
            {
                "method": self.command,
                "path": split.path,
                "query": split.query,
                "headers": self.headers.items(),
                **readable(body),
                **parsed(body, self.headers.get_content_type()),
                "connection": self.client_address[1],
                "tls": hasattr(self.connection, "version") and self.connection.version(),
                "status": status,
                **({"verified": verified(self.headers, body, self.server.secrets)} if self.server.secrets else {}),
            }
        )
        time.sleep(int(order.get("delay", 0)) / 1000)
        if order.get("cut") in ("unanswered", "reset"):
            self.cut(reset=order["cut"] == "reset")
        elif "garbage" in order:
            self.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
            self.cut()
        else:
            self.answer(order, split.path, status, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_request

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def status(self, order, path):
        usual = 201 if path.endswith("/Messages.json") else 200
        if "fail-then-ok" not in order:
            return int(order.get("status", usual))
        if self.server.count(path) > int(order["fail-then-ok"]):
            return usual
        return int(order.get("status", 503))

    def answer(self, order, path, status, body):
        content = self.content(order, path, status, body)
        if "early" in order:
            self.send_response_only(int(order["early"]))
            self.end_headers()
        if "drip" in order:
            self.drip(f"HTTP/1.1 {status} OK\r\n".encode(), int(order["drip"]))
        self.send_response(status)
        for number in range(int(order.get("headers", 0)) // 1000):
            self.send_header(f"X-{number:05}", "x" * 990)
        if order.get("fill") == "endless":
            self.endless()
            return
        if "retry-after" in order:
            self.send_header("Retry-After", order["retry-after"])
        if "location" in order:
            self.send_header("Location", order["location"])
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if order.get("cut") == "midway":
            self.wfile.write(content[: len(content) // 2])
            self.cut()
        elif self.command != "HEAD":
            self.wfile.write(content)

    def content(self, order, path, status, body):
        if "echo" in order:
            return str(self.headers).encode()
        if order.get("fill", "endless") != "endless":
            return b"x" * int(order["fill"])
        if path.endswith("/Messages.json") and status < 300:
            sid = "SM" + hashlib.md5(body).hexdigest()
            return json.dumps({"sid": sid, "status": "queued", "error_code": None}).encode()
        if "code" in order:
            return json.dumps({"code": int(order["code"]), "message": "No", "status": status}).encode()
        return json.dumps({"status": status}).encode()

    def drip(self, content, pause):
        """For as long as the other side listens."""
        for byte in content * 1000:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(pause / 1000)

    def endless(self):
        self.close_connection = True
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 4096)
            time.sleep(0.01)

    def cut(self, reset=False):
        self.close_connection = True
        try:
            if reset:
                sink.close_with_reset(self.connection)
                return
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, arguments):
        super().__init__((arguments.host, arguments.port), Handler)
        self.journal = sink.Journal(arguments, describe)
        self.secrets = arguments.signing_secret
        self.drop = arguments.drop
        self._context = sink.tls_context(arguments) if arguments.tls else None
        self._counts = collections.Counter()
        self._lock = threading.Lock()

    def finish_request(self, request, client_address):
        if self.drop == "reset":
            sink.close_with_reset(request)
        if self.drop:
            return
        # The handshake belongs to the connection's own thread: a silent client holds up nobody.
        if self._context:
            request = self._context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def count(self, path):
        with self._lock:
            self._counts[path] += 1
            return self._counts[path]

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    parser = sink.options(__doc__)
    parser.add_argument("--tls", action="store_true", help="https")
    parser.add_argument("--signing-secret", metavar="SECRET", action="append", default=[], help="verify signatures")
    parser.add_argument("--drop", choices=("close", "reset"), help="each connection, as soon as it is there")
    arguments = parser.parse_args()
    server = Server(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sink.announce(arguments, server.server_address[1])
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
