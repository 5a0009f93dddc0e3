"""A real exeat-keys at the other end of a socket pair, and the frames that it speaks (agent/wire/keys_msg.h)."""
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("EXEAT_KEYS", os.path.join(ROOT, "build", "exeat-keys"))
WAIT = 60  # seconds until a missing answer fails the test; never measured

TYPES = ["", "OPEN", "AUTHORIZE", "CHALLENGED", "ACCEPTED", "CLOSE", "RELOAD", "STATUS", "TRIAL_END", "LOGIN",
         "LOGOUT", "ANSWER", "EVENT_GENERATION", "EVENT_TRIAL", "ACCEPT_OFFER", "NETWORK", "EXAMINE",
         "ACCEPT_OPEN", "ACCEPT_STEP", "ACCEPT_CLOSE"]
VERDICTS = ["", "OK", "SEND", "RESTART", "NEED_BODY", "REFUSED", "SITE_REFUSED", "UNAVAILABLE", "TIMEOUT", "BROKEN",
            "MUTUAL_FAILED", "NOT_ASKED", "UNREACHABLE", "DOWNGRADED"]
FIELDS = ["", "context", "verdict", "flags", "generation", "port", "trial", "upstream", "host", "binding", "method",
          "target", "lines", "info", "body", "header", "identity", "scheme", "why", "remedy", "user", "secret", "until",
          "gateway", "delay", "acting"]
INTEGERS = [*range(7), *(FIELDS.index(name) for name in ("until", "delay", "acting"))]
KNOCK, BINDS, REUSABLE, FINAL, CANDIDATE = 1, 2, 4, 8, 16
BODY_NONE, BODY_HELD, BODY_BIG, CLOSED, ALARM, ASIDE, AHEAD, LOGIN_HELPS = 0x20, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800, 0x1000
SOCKS, PROBLEM, GUEST = 0x2000, 0x4000, 0x10000


class Message(dict):
    """A message: its fields, text as str (bytes for body and header stay bytes where they are no text)."""

    def __getattr__(self, name):
        if name == "flags":
            return self.get("flags", 0)
        return self.get(name, "")


def encode(kind, call=0, **fields):
    body = struct.pack(">BI", TYPES.index(kind), call)
    for number, name in enumerate(FIELDS):
        value = fields.get(name)
        if not number or not value:
            continue
        if number in INTEGERS:
            value = struct.pack(">I", value)
        elif isinstance(value, str):
            value = value.encode()
        body += struct.pack(">BI", number, len(value)) + value
    return struct.pack(">I", len(body)) + body


def decode(body):
    kind, call = struct.unpack(">BI", body[:5])
    m = Message(type=TYPES[kind], call=call)
    at = 5
    while at < len(body):
        number, n = struct.unpack(">BI", body[at:at + 5])
        value = body[at + 5:at + 5 + n]
        at += 5 + n
        if number in INTEGERS:
            value = struct.unpack(">I", value)[0]
        else:
            value = value.decode("utf-8", "surrogateescape")
        m[FIELDS[number]] = VERDICTS[value] if FIELDS[number] == "verdict" else value
    return m


class Link:
    """One framed stream to the keyholder."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(WAIT)
        self.last_call = 0
        self.events = []
        self.answers = {}

    def receive(self):
        head = self._read(4)
        return decode(self._read(struct.unpack(">I", head)[0]))

    def _read(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise EOFError("the keyholder closed the conversation")
            data += more
        return data

    def begin(self, kind, **fields):
        """Asks, without waiting. The call's number."""
        self.last_call += 1
        self.sock.sendall(encode(kind, self.last_call, **fields))
        return self.last_call

    def tell(self, kind, **fields):
        self.sock.sendall(encode(kind, 0, **fields))

    def _sort_one(self):
        m = self.receive()
        if m.type == "ANSWER":
            self.answers[m.call] = m
        else:
            self.events.append(m)

    def end(self, call):
        while call not in self.answers:
            self._sort_one()
        return self.answers.pop(call)

    def ask(self, kind, **fields):
        return self.end(self.begin(kind, **fields))

    def event(self, kind):
        while True:
            for i, m in enumerate(self.events):
                if m.type == kind:
                    return self.events.pop(i)
            self._sort_one()

    def answered(self, call):
        """Has this call been answered by now? Asks something else meanwhile, whose answer comes later than any that is ready."""
        self.ask("STATUS", upstream="no-such-upstream")
        return call in self.answers


class Context:
    """One upstream connection, as the agent sees it."""

    def __init__(self, keys, upstream="corp", host=None, port=None, flags=0, binding=b"", **brought):
        self.keys = keys
        self.opened = keys.ask("OPEN", upstream=upstream, host=host or keys.proxy_host, port=port or keys.proxy_port,
                               flags=flags, binding=binding, **brought)
        self.id = self.opened.context

    def begin_authorize(self, target="http://site.example/", method="GET", flags=0, body=b""):
        return self.keys.begin("AUTHORIZE", context=self.id, method=method, target=target, flags=flags, body=body)

    def begin_challenged(self, lines, target="http://site.example/", method="GET", flags=0, body=b""):
        text = "".join(line + "\n" for line in lines)
        return self.keys.begin("CHALLENGED", context=self.id, method=method, target=target, flags=flags, lines=text,
                               body=body)

    def authorize(self, *args, **kwargs):
        return self.keys.end(self.begin_authorize(*args, **kwargs))

    def challenged(self, *args, **kwargs):
        return self.keys.end(self.begin_challenged(*args, **kwargs))

    def begin_accepted(self, info="", lines=(), flags=0):
        return self.keys.begin("ACCEPTED", context=self.id, info=info, lines="".join(line + "\n" for line in lines), flags=flags)

    def accepted(self, info="", lines=(), flags=0):
        return self.keys.end(self.begin_accepted(info, lines, flags))

    def close(self):
        self.keys.tell("CLOSE", context=self.id)


class Keyholder(Link):
    """The program with a directory of its own for everything that it reads and writes."""

    proxy_host = "proxy.corp.example"
    proxy_port = 8080

    def __init__(self, upstream, env=None, directory=None, arguments=(), more=""):
        self.own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="exeat-keys-")
        self.config = os.path.join(self.directory, "exeat.conf")
        self.more = more
        self.configure(upstream)
        for name in ("run", "state", "home"):
            os.makedirs(os.path.join(self.directory, name), mode=0o700, exist_ok=True)
        self.env = {"PATH": os.environ["PATH"], "HOME": self.directory + "/home", "LANG": "C.UTF-8",
                    "XDG_RUNTIME_DIR": self.directory + "/run", "XDG_STATE_HOME": self.directory + "/state",
                    "KRB5CCNAME": "FILE:" + self.directory + "/no-ccache",
                    "KRB5_CONFIG": self.directory + "/no-krb5.conf", "NETBIOS_COMPUTER_NAME": "CLIENT"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        for name, file in (("LSAN_OPTIONS", "lsan.supp"), ("TSAN_OPTIONS", "tsan.supp")):
            given = self.env.get(name, "")
            self.env[name] = "%s%sprint_suppressions=0:suppressions=%s/tests/keys/%s" % (given, ":" if given else "", ROOT, file)
        if not os.path.exists(self.env["KRB5_CONFIG"]):
            with open(self.env["KRB5_CONFIG"], "w") as f:
                f.write("[libdefaults]\ndns_lookup_kdc = false\ndns_lookup_realm = false\n"
                        "dns_canonicalize_hostname = false\nrdns = false\n")
        self.env.update(env or {})
        self.arguments = list(arguments)
        self.log_path = os.path.join(self.directory, "log")
        self._start()

    def configure(self, upstream):
        with open(self.config, "w") as f:
            f.write("[upstream corp]\nproxy = http://%s:%d\n%s\n%s" % (self.proxy_host, self.proxy_port, upstream, self.more))

    def _start(self):
        ours, theirs = socket.socketpair()
        log = open(self.log_path, "ab")

        def child():
            os.dup2(theirs.fileno(), 3)
            for fd in map(int, os.listdir("/proc/self/fd")):
                if fd > 3:
                    try:
                        os.set_inheritable(fd, False)
                    except OSError:  # the directory itself, closed by now
                        pass
            os.set_inheritable(3, True)

        # Not close_fds: it would close 3. The program has 0 to 3 and nothing else.
        self.process = subprocess.Popen([PROGRAM, "--config", self.config] + self.arguments, env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=child,
                                        close_fds=False)
        log.close()
        theirs.close()
        Link.__init__(self, ours)

    def restart(self):
        if self.stop():
            raise AssertionError(self.log())
        self._start()

    def login_link(self):
        """A connection of the command line. An answer to anything says that the program is up, and its socket there."""
        self.ask("STATUS", upstream="no-such-upstream")
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.env["XDG_RUNTIME_DIR"] + "/exeat/keys")
        return Link(s)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self):
        self.sock.close()
        try:
            return self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise

    def finish(self):
        status = self.stop()
        if status or "ERROR: " in self.log() or "WARNING: ThreadSanitizer" in self.log() or "runtime error" in self.log():
            raise AssertionError("the keyholder ended with status %d:\n%s" % (status, self.log()))
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)
        return status

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if error[0]:
            print(self.log())
        if self.process.poll() is None:
            self.finish()
