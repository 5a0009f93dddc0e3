"""A SOCKS client, message by message, over wire.Wire."""

import socket
import struct

GRANTED, FAILURE, NOT_ALLOWED, NETWORK, HOST, REFUSED, EXPIRED, COMMAND, ADDRESS = range(9)
GRANTED4, REJECTED4 = 0x5A, 0x5B


def request5(host, port, command=1):
    """host: a name, or an address, which is then sent as such."""
    head = bytes([5, command, 0])
    for family, kind in ((socket.AF_INET, 1), (socket.AF_INET6, 4)):
        try:
            return head + bytes([kind]) + socket.inet_pton(family, host) + struct.pack(">H", port)
        except OSError:
            pass
    return head + bytes([3, len(host)]) + host.encode("latin-1") + struct.pack(">H", port)


def request4(host, port, user=b"", command=1):
    """SOCKS4 for an address, SOCKS4a for a name."""
    try:
        return bytes([4, command]) + struct.pack(">H", port) + socket.inet_aton(host) + user + b"\0"
    except OSError:
        return bytes([4, command]) + struct.pack(">H", port) + b"\0\0\0\1" + user + b"\0" + host.encode("latin-1") + b"\0"


def greet(wire, user=None, password=b""):
    """The greeting of SOCKS5 and its answer."""
    wire.send(b"\5\1\0" if user is None else b"\5\1\2")
    if user is None:
        assert wire.read(2) == b"\5\0"
        return
    assert wire.read(2) == b"\5\2"
    wire.send(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
    assert wire.read(2) == b"\1\0"


def reply5(wire):
    """The code of the reply."""
    head = wire.read(4)
    assert head[0] == 5 and head[2:] == b"\0\1", head
    wire.read(6)
    return head[1]


def reply4(wire):
    head = wire.read(8)
    assert head[0] == 0, head
    return head[1]


def connect5(wire, host, port, early=b"", **options):
    greet(wire, **options)
    wire.send(request5(host, port) + early)
    return reply5(wire)


def connect4(wire, host, port, early=b"", **options):
    wire.send(request4(host, port, **options) + early)
    return reply4(wire)
