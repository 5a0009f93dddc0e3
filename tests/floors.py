#!/usr/bin/python3
"""Keeps the walls of the house: reads the #include lines (and with --build DIR also what the linker put into the programs).

A folder includes only folders on floors below its own, never beside or above. A library is included only in its one room. The agent is
linked with nothing that knows secrets, the keyholder with nothing that knows sockets of proxies. No file mentions this checkout's place.
And each mutation of mutations.py still fits the sources. Prints what is wrong, and a last line `N passed, N failed`, a check per source
file, program and mutation."""

import argparse
import os
import re
import subprocess
import sys

import mutate

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What a file may include from, besides its own folder: the folders of lower floors. Two houses on common ground: the agent and its helpers.
FLOORS = {
    "agent/base": 0,
    "config": 1,
    "agent/wire": 2, "agent/http": 2, "agent/net": 2,
    "agent/helpers": 3, "agent/control": 3, "agent/source": 3,
    "agent/route": 4,
    "agent/upstream": 5, "agent/admit": 5,
    "agent/relay": 6, "agent/apps": 6,
    "agent/cli": 7, "tray": 7,
    "agent": 8, "agent/manual": 8,
}
BESIDE = {"agent/keys": {"agent/base", "config", "agent/wire"}, "agent/pac": {"agent/base", "agent/wire"}}

# Header (as a pattern) and the files that may include it.
ROOMS = [
    (r"uv\.h", r"agent/net/.*|agent/agent\.c"),
    (r"openssl/ssl\.h", r"agent/net/tls(_(client|server|own)\.c|_inside\.h|\.c)"),
    (r"gssapi(/.*|\.h)", r"agent/keys/(gss|gss_act|accept_gss)\.c|agent/keys/gss_words\.[ch]"),
    (r"libsecret/.*", r"agent/keys/keyring\.c"),
    (r"(krb5|com_err|profile)\.h|krb5/.*", r"agent/keys/ticket(_get|_service|_clock)?\.c|agent/keys/ticket_inside\.h"),
    (r"jansson\.h", r"agent/(control|cli|apps)/.*|tray/.*"),
    (r"(gio|glib|libdbusmenu-glib)/.*|glib.*\.h", r"tray/(?!model|notice).*|agent/keys/keyring\.c"),
    (r"(JavaScriptCore|jsc)/.*|jsc\.h", r"agent/pac/engine\.c"),
    (r"linux/landlock\.h", r"agent/base/sandbox\.c"),
    (r"seccomp\.h", r"agent/(base|pac)/sandbox\.c"),
    (r"http_parser\.h|cmocka\.h", r"tests/.*"),
]
# What a row of ROOMS also allows: agent.c hands the answers of `status` to the control socket, so it makes JSON.
ALSO = {("jansson.h", "agent/agent.c"), ("jansson.h", "agent/verbs.c"),
        ("jansson.h", "agent/state.c")}

# Libraries that a program must not be linked with, directly or through another.
WALLS = {
    "exeat": ("libgssapi", "libkrb5", "libsecret", "gssntlmssp", "libjavascriptcore"),
    "exeat-keys": ("libuv", "libssl", "libjansson", "libjavascriptcore"),
    "exeat-pac": ("libuv", "libssl", "libjansson", "libgssapi", "libkrb5", "libsecret"),
    "exeat-tray": ("libuv", "libssl", "libcrypto", "libgssapi", "libkrb5", "libsecret", "libjavascriptcore", "libgtk"),
}
OPTIONAL = {"exeat-pac", "exeat-tray"}  # built only where its libraries are

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def sources():
    for top in ("agent", "config", "tray", "tests"):
        for folder, folders, names in os.walk(os.path.join(ROOT, top)):
            folders[:] = [f for f in folders if f != "__pycache__"]
            for name in sorted(names):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


def folder_of(include, own):
    """The folder of our own that a quoted name leads to, or None when it leads nowhere."""
    for base in (own, "agent", "."):
        path = os.path.normpath(os.path.join(base, include))
        if os.path.isfile(os.path.join(ROOT, path)):
            return os.path.dirname(path)
    return None


def may_use(own, other):
    if own == other:
        return True
    if own in BESIDE:
        return other in BESIDE[own]
    if own not in FLOORS:  # tests use everything
        return own.split("/")[0] == "tests"
    return other in FLOORS and FLOORS[other] < FLOORS[own]


def check_includes(path, text):
    own = os.path.dirname(path)
    if own.split("/")[0] != "tests" and own not in FLOORS and own not in BESIDE:
        yield "stands on no floor: give %s a row in FLOORS" % own
        return
    for quote, name in INCLUDE.findall(text):
        if quote == '"':
            other = folder_of(name, own)
            if other is None:
                yield 'includes "%s", which is not there' % name
            elif not may_use(own, other):
                yield 'includes "%s": %s is not below %s' % (name, other, own)
            continue
        for header, rooms in ROOMS:
            if own.split("/")[0] == "tests" or not re.fullmatch(header, name):
                continue
            if not re.fullmatch(rooms, path) and (name, path) not in ALSO:
                yield "includes <%s>, which belongs to %s alone" % (name, rooms.replace("\\", ""))


def check_words(text):
    for place in {ROOT, os.path.realpath(ROOT)}:
        if len(place) > 4 and re.search(re.escape(place) + r"(?![\w-])", text):
            yield "mentions the place of this checkout, " + place


def check_links(build):
    for program, walls in WALLS.items():
        if program in OPTIONAL and not os.path.exists(os.path.join(build, program)):
            continue
        answer = subprocess.run(["ldd", os.path.join(build, program)], capture_output=True, text=True, check=False)
        if answer.returncode:
            yield program, "ldd: " + (answer.stderr or answer.stdout).strip()
        for wall in walls:
            if wall in answer.stdout:
                yield program, "is linked with " + wall
        if not re.search(r"libc\.so", answer.stdout):
            yield program, "ldd does not name even the C library: nothing was checked"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", help="also check the programs in this folder")
    options = parser.parse_args()
    passed = failed = 0
    for path in sources():
        try:
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                text = file.read()
        except UnicodeDecodeError:
            continue  # seeds of fuzzers, traces
        wrong = list(check_words(text))
        if path.endswith((".c", ".h")):
            wrong += check_includes(path, text)
        for sentence in wrong:
            print("FAIL  %s %s" % (path, sentence))
        failed, passed = (failed + 1, passed) if wrong else (failed, passed + 1)
    if options.build:
        wrong = list(check_links(options.build))
        for program, sentence in wrong:
            print("FAIL  %s %s" % (program, sentence))
        bad = {program for program, _ in wrong}
        failed, passed = failed + len(bad), passed + len(WALLS) - len(bad)
    for row in mutate.ROWS:
        wrong = list(mutate.faults(row))
        for sentence in wrong:
            print("FAIL  " + sentence)
        failed, passed = (failed + 1, passed) if wrong else (failed, passed + 1)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
