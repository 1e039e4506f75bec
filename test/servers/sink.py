"""What the two sinks share: their options, their certificate, the record of what arrived."""

import argparse
import datetime
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading


def options(description):
    """The options that every sink understands, for it to add its own."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0, the default: any free one")
    parser.add_argument("--port-file", help="write the port here once the sink listens")
    parser.add_argument("--out", help="append each message to this file, one JSON object a line")
    parser.add_argument("--print", action="store_true", help="print each message for a person to read")
    parser.add_argument("--certificate", metavar="DIR", help="folder of the certificate (made when missing)")
    parser.add_argument(
        "--names", default="DNS:localhost,IP:127.0.0.1", help="whom the certificate is made out to"
    )
    return parser


def tls_context(arguments):
    """Serve with DIR/cert.pem and DIR/key.pem; clients trust it when cert.pem is their CA file."""
    folder = arguments.certificate or tempfile.mkdtemp(prefix="sink.")
    certificate, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    if not os.path.exists(certificate):
        os.makedirs(folder, exist_ok=True)
        command = (
            f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "
            f"-subj /CN=sink -addext subjectAltName={arguments.names} -keyout {key} -out {certificate}"
        )
        subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def close_with_reset(connection):
    """Without the goodbye of TCP: what was not read yet is lost, and the other side is told so."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def announce(arguments, port):
    """Tell the port to who waits for it: the file appears whole or not at all."""
    if arguments.port_file:
        with open(arguments.port_file + ".new", "w", encoding="ascii") as file:
            file.write(f"{port}\n")
        os.replace(arguments.port_file + ".new", arguments.port_file)
    else:
        print(f"listening on {arguments.host}:{port}", flush=True)


class Journal:
    """Everything that arrived, in order, for programs (--out) and for people (--print)."""

    def __init__(self, arguments, describe):
        self._out = open(arguments.out, "a", encoding="utf-8") if arguments.out else None
        self._describe = describe if arguments.print else None
        self._lock = threading.Lock()

    def add(self, message):
        message = {"at": datetime.datetime.now(datetime.timezone.utc).isoformat(), **message}
        with self._lock:
            if self._out:
                self._out.write(json.dumps(message, ensure_ascii=False) + "\n")
                self._out.flush()
            if self._describe:
                sys.stdout.write(self._describe(message) + "\n")
                sys.stdout.flush()


def paragraph(title, fields, text):
    """A message as --print shows it."""
    width = max((len(name) for name, _ in fields), default=0)
    lines = [title]
    lines += [f"    {name + ':':<{width + 1}} {value}" for name, value in fields]
    if text:
        lines += [""] + ["    " + line for line in text.rstrip().splitlines()]
    return "\n".join(lines) + "\n"
