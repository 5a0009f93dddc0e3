"""One person's desk in the lab: an agent in front of one of the Squids, and programs that know nothing but that agent's address."""

import contextlib
import os
import subprocess
import threading

import world
from agent import Agent
from lab import lab
from wire import PATIENCE, Wire, get

HTTP, HTTPS = "http://origin.example", "https://origin.example"

# Scheme -> the Squid that demands it and the words for the configuration.
SCHEMES = {
    "basic": ("basic", "basic"),
    "digest": ("digest", "digest"),
    "ntlm": ("ntlm", "ntlm"),
    "negotiate": ("krb", "negotiate"),
}
COUNTED_BY_DIRECTORY = ("ntlm", "negotiate")
WITH_KERBEROS = ("krb", "multi", "spnego", "tls", "mit")


def user_name(kind, user):
    """The spelling that a person would use for that proxy."""
    if kind in ("basic", "digest", "digest-strict"):
        return user
    if kind in ("krb", "spnego", "multi", "tls"):
        return "%s@%s" % (user, world.REALM)
    return "%s@%s" % (user, world.CORP_REALM) if kind == "mit" else "%s\\%s" % (world.DOMAIN, user)


def upstream(kind, user="alice", auth=None, secret="file:@DIR@/secret", host=None, name="corp", kerberos=None, more=""):
    """An [upstream] section. user: as in world.py, or as it shall be spelt when it has a realm or domain; None leaves it out. kerberos:
    "acquire" unless told otherwise, where the proxy takes tickets and the user is spelt with a realm."""
    lines = ["[upstream %s]" % name, "proxy = " + lab.proxy(kind, host)]
    if auth:
        lines.append("auth = " + auth)
        if "basic" in auth.split() and kind != "tls":
            lines.append("basic-in-clear = yes")
    if user is not None:
        user = user if "@" in user or "\\" in user else user_name(kind, user)
        lines.append("user = " + user)
    if secret:
        lines.append("secret = " + secret)
    if kerberos or (kind in WITH_KERBEROS and "@" in (user or "") and not (secret or "").startswith(("none", "keytab:"))):
        lines.append("kerberos = " + (kerberos or "acquire"))
    return "\n".join(lines) + "\n" + more


def agent_for(kind, user="alice", password=None, auth=None, cache=None, files=None, env=None, **section):
    """An agent for that Squid. password: what the secret file holds (default: the right one); cache: a ticket cache instead of none."""
    if password is None and user is not None:
        password = world.PASSWORDS[user.split("@")[0].split("\\")[-1]]
    contents = {"secret": (password or "") + "\n", **(files or {})}
    environment = {"KRB5_CONFIG": "/etc/krb5.conf", **(env or {})}
    if cache:
        environment["KRB5CCNAME"] = cache
    more = section.pop("more", "")
    return Agent(upstream(kind, user, auth, **section) + more, files=contents, env=environment)


def agent_for_scheme(scheme, user="alice", password=None, **more):
    kind, auth = SCHEMES[scheme]
    return agent_for(kind, user, password, auth, **more)


# --- clients

def client_environment(agent, **more):
    """What a shell that was pointed at the agent hands to its programs: the address, no name, no password, nobody to ask."""
    environment = {"PATH": os.environ["PATH"], "HOME": world.HOME, "TMPDIR": world.TMP, "LANG": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0",
                   "SSL_CERT_FILE": world.CA_BUNDLE, "NODE_EXTRA_CA_CERTS": world.CA_CERT}
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        environment[name] = agent.url
    environment.update(more)
    return environment


def run_client(agent, *command, check=True, input=None, cwd=None, **environment):
    """Runs a program that uses the agent as its proxy; standard output and error as text."""
    answer = subprocess.run(command, env=client_environment(agent, **environment), cwd=cwd or world.TMP, check=False, input=input,
                            stdin=subprocess.DEVNULL if input is None else None, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            timeout=100)
    if check and answer.returncode != 0:
        raise AssertionError("%s ended with %d:\n%s%s" % (command[0], answer.returncode, answer.stdout[-4000:], answer.stderr[-4000:]))
    return answer


def ask(agent, target, *fields, method="GET", body=None, patience=PATIENCE):
    """One request on a connection of its own; CONNECT targets are HOST:PORT. patience: seconds for each read."""
    with Wire.connect(agent.port, patience=patience) as wire:
        return wire.ask(get(target, *fields, method=method, body=body), method)


def connect(agent, target="origin.example:443"):
    """The answer to a CONNECT; the tunnel is closed again at once."""
    return ask(agent, target, method="CONNECT")


# --- many at once

class Crowd:
    """Threads that begin together; leaving the block waits for all of them and raises the first thing that went wrong in one."""

    def __init__(self):
        self._go = threading.Event()
        self._threads, self._errors = [], []

    def add(self, work, *arguments):
        def run():
            self._go.wait()
            try:
                work(*arguments)
            except BaseException as error:
                self._errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def go(self):
        self._go.set()

    def __enter__(self):
        return self

    def __exit__(self, kind, _error, _trace):
        self.go()
        if kind is None:
            for thread in self._threads:
                thread.join(300)  # a busy machine takes long for many handshakes
            if any(thread.is_alive() for thread in self._threads):
                raise AssertionError("some of the crowd never came to an end")
            if self._errors:
                raise self._errors[0]


# --- what the proxies saw

@contextlib.contextmanager
def watching(kind):
    """A list that holds, after the block, what that Squid logged during it."""
    before = len(lab.squid_log(kind))
    lines = []
    yield lines
    lines += lab.squid_log(kind)[before:]


def attempts(lines):
    """Requests that carried a password or its proof: Basic, Digest; for NTLM the message that answers the challenge (type 3)."""
    return [line for line in lines if line.credentials.lower().startswith(("basic ", "digest ")) or _is_type3(line.credentials)]


def _is_type3(credentials):
    return credentials.startswith(("NTLM TlRMTVNTUAAD", "Negotiate TlRMTVNTUAAD"))
