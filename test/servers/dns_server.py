#!/usr/bin/python3
"""A name server that changes its mind: each question for a name gets the next of its answers, which nobody is to keep.

dns_server.py ADDRESS PORT-FILE NAME=ANSWER[,ANSWER…] …   an ANSWER is an address, or several joined by "+"

Of every other name it says that there is none. Each answer becomes a line on standard output.
"""

import ipaddress
import itertools
import socket
import struct
import sys


def name_in(question):
    labels, at = [], 12
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode("ascii").lower())
        at += length + 1
    return ".".join(labels), struct.unpack("!H", question[at + 1 : at + 3])[0], question[12 : at + 5]


def answer(question, answers):
    name, kind, asked = name_in(question)
    if name not in answers:
        return question[:2] + struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0) + asked
    if kind != 1:  # none but IPv4; the turn of the name is not used up
        return question[:2] + struct.pack("!HHHHH", 0x8180, 1, 0, 0, 0) + asked
    addresses = next(answers[name]).split("+")
    print(name, *addresses, flush=True)
    records = b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + ipaddress.ip_address(address).packed for address in addresses
    )
    return question[:2] + struct.pack("!HHHHH", 0x8180, 1, len(addresses), 0, 0) + asked + records


def main():
    address, port_file, *names = sys.argv[1:]
    answers = {name: itertools.cycle(turns.split(",")) for name, turns in (item.split("=") for item in names)}
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    with open(port_file, "w", encoding="ascii") as file:
        file.write("53\n")
    while True:
        question, client = server.recvfrom(512)
        server.sendto(answer(question, answers), client)


if __name__ == "__main__":
    main()
