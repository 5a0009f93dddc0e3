"""Ports of 127.0.0.1 that nobody else gets.

A port that was only probed can be taken by the next test that runs beside this one. These stay bound, without listening, as long as the process that asked
for them lives: connections are refused there, the kernel gives them to nobody who asks for any port, and who asks for just this one with SO_REUSEADDR, as
every server here does, may listen."""

import socket

_held = []


def free_port(udp=False):
    """udp: nobody has it at this moment for UDP either; that is not held, since two who share such a port share what comes."""
    for _ in range(50):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        _held.append(sock)
        if not udp or is_free(sock.getsockname()[1], socket.SOCK_DGRAM):
            return sock.getsockname()[1]
    raise OSError("no port is free for both UDP and TCP")


def port_of_both_kinds():
    """A UDP and a TCP socket with the same port: what is free for the one kind need not be for the other."""
    for _ in range(50):
        udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
        udp.bind(("127.0.0.1", 0))
        try:
            tcp.bind(udp.getsockname())
            return udp, tcp
        except OSError:
            udp.close()
            tcp.close()
    raise OSError("no port is free for both UDP and TCP")


def is_free(port, kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as sock:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
