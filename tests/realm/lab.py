"""The lab as the tests see it: `from lab import lab`. run.py has started it; every test runs on its client side."""

import collections
import contextlib
import json
import os
import pwd
import re
import subprocess
import time
import urllib.parse

import kdc
import sandbox
import server
import squids
import world
from agent import wait_until

_ACTIVE = "/squid-internal-mgr/active_requests"  # a page of Squid's own
LogLine = collections.namedtuple("LogLine", "client status method url user result credentials")


class Lab:
    def __init__(self):
        self._database = None
        self._marks = 0
        self._server = None  # pid of the server side's init

    # --- life

    def start(self):
        """Turns the namespaces that this process is in into the client side, and starts the server side."""
        self._enter()
        go_read, go_write = os.pipe()
        tell_read, tell_write = os.pipe()

        def first():
            os.close(go_write)
            os.close(tell_read)
            return server.run(go_read, tell_write)

        _, self._server = sandbox.in_new_namespaces(sandbox.SIDE, first)
        os.close(go_read)
        os.close(tell_write)
        server.ip("link set lo up", "link add eth0 type veth peer name eth0 netns %d" % self._server, "address add %s/24 dev eth0" % world.CLIENT,
                  "link set eth0 up")
        os.write(go_write, b"g")
        os.close(go_write)
        answer = os.read(tell_read, 4096)
        os.close(tell_read)
        if answer != b"ready":
            raise RuntimeError("the lab does not start: %s\n%s" % (answer.decode(errors="replace"), self.tails()))
        sandbox.bind(world.CA_BUNDLE, "/etc/ssl/certs/ca-certificates.crt")

    def _enter(self):
        sandbox.mount_tmpfs("/run")  # also hides the machine's own buses and sockets
        for path in (world.LAB, world.TMP, world.HOME, world.CLIENT_ETC, world.SQUID, world.ORIGIN, world.LOGS):
            os.mkdir(path)
        proxy = pwd.getpwnam("proxy")
        os.chown(world.LOGS, proxy.pw_uid, proxy.pw_gid)
        os.chmod(world.TMP, 0o1777)
        os.mkdir("/run/squid")  # Squid's shared memory
        os.chown("/run/squid", proxy.pw_uid, proxy.pw_gid)
        os.mkdir("/run/lock", 0o1777)
        sandbox.set_host_name("desk")
        with open(world.CLIENT_ETC + "/hosts", "w") as hosts:
            hosts.write("127.0.0.1 localhost\n::1 localhost\n%s desk.lab.example desk\n" % world.CLIENT)
        with open(world.CLIENT_ETC + "/resolv.conf", "w") as resolver:
            resolver.write("search %s\nnameserver %s\noptions timeout:2 attempts:2\n" % (world.DNS_DOMAIN, world.DC))
        kdc.write_client_conf(world.CLIENT_ETC + "/krb5.conf")
        for name in ("hosts", "resolv.conf", "krb5.conf"):
            sandbox.bind(world.CLIENT_ETC + "/" + name, "/etc/" + name)

    def tails(self, lines=15):
        """The ends of all logs, for a start that failed."""
        out = []
        for name in sorted(os.listdir(world.LOGS)):
            if os.path.isfile(world.LOGS + "/" + name):
                with open(world.LOGS + "/" + name, errors="replace") as log:
                    out.append("== %s\n%s" % (name, "".join(log.readlines()[-lines:])))
        return "".join(out)

    def deaths(self):
        """Daemons that ended although nobody asked them to."""
        with contextlib.suppress(FileNotFoundError), open(world.LOGS + "/deaths") as log:
            return log.read()
        return ""

    # --- proxies

    def proxy(self, kind, host=None):
        return "%s://%s:%d" % ("https" if kind == "tls" else "http", host or world.PROXY_NAMES[kind], world.PORTS[kind])

    @staticmethod
    def _curl(kind, *words):
        """What that Squid answers itself; words may name a target behind it. Nothing of it is in squid_log."""
        url = "%s://%s:%d" % ("https" if kind == "tls" else "http", world.HOSTS[world.PROXY_NAMES[kind]], world.PORTS[kind])
        words = ["--proxy-insecure", "--proxy", url, *words] if words else ["--insecure", url + _ACTIVE]
        return subprocess.run(["curl", "-sS", *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60).stdout

    def _tunnels(self, kind):
        """Those that are open at that Squid."""
        return re.findall(r"^uri ([^/\s]+)$", self._curl(kind), re.MULTILINE)

    def squid_log(self, kind):
        """What that Squid has finished by now, in order. A tunnel is written down at its end, which follows the end of its client in its own
        time: it is waited for. Then a mark of our own goes through: it is written down after all that Squid has finished before."""
        wait_until(lambda: not self._tunnels(kind), "the end of all tunnels through Squid " + kind)
        self._marks += 1
        mark = "http://mark.example/%d" % self._marks
        self._curl(kind, "--output", "/dev/null", mark)
        end = time.monotonic() + 30
        while True:
            lines = self._read_squid_log(kind)
            if any(line.url == mark for line in lines):
                return [line for line in lines if not line.url.startswith("http://mark.example/") and not line.url.endswith(_ACTIVE)]
            if time.monotonic() > end:
                raise AssertionError("Squid %s writes no log" % kind)
            time.sleep(0.01)

    @staticmethod
    def _read_squid_log(kind):
        lines = []
        with open("%s/squid-%s.access" % (world.LOGS, kind), errors="replace") as log:
            for text in log:
                if text.endswith("\n"):
                    _time, client, status, method, url, user, result, credentials = text.rstrip("\n").split(" ", 7)
                    credentials = "" if credentials == "-" else urllib.parse.unquote(credentials)
                    lines.append(LogLine(client, int(status), method, url, urllib.parse.unquote(user), result, credentials))
        return lines

    @contextlib.contextmanager
    def another_squid(self, kind, port):
        """One more of that kind, on a port of its own; gives its process, which the test may kill."""
        conf = squids.write_conf(kind, port, "%s-%d" % (kind, port))
        process = subprocess.Popen(["nsenter", "--target", str(self._server), "--net", "--mount", "--ipc", "--", "squid", "-N", "-n", "lab%d" % port,
                                    "-f", conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: server.answers(world.PROXY, port), "another Squid")
            yield process
        finally:
            process.kill()
            process.wait()

    def on_the_server_side(self):
        """Words before a command that shall run there."""
        return ["nsenter", "--target", str(self._server), "--net", "--mount", "--ipc", "--pid", "--"]

    # --- the directory

    @property
    def database(self):
        if self._database is None:
            import directory
            self._database = directory.open_database()
        return self._database

    def _account(self, user, *attributes):
        found = self.database.search(self.database.domain_dn(), expression="(sAMAccountName=%s)" % user, attrs=list(attributes))
        return found[0]

    def bad_count(self, user):
        """Wrong passwords that the directory has counted."""
        return int(str(self._account(user, "badPwdCount").get("badPwdCount", "0")))

    def is_locked(self, user):
        return int(str(self._account(user, "lockoutTime").get("lockoutTime", "0"))) != 0

    def reset(self, user, password=None):
        """No bad passwords, not locked; with `password` that one from now on (else the one of the table)."""
        import ldb
        message = ldb.Message(self._account(user).dn)
        for name in ("lockoutTime", "badPwdCount"):
            message[name] = ldb.MessageElement("0", ldb.FLAG_MOD_REPLACE, name)
        self.database.modify(message)
        self.database.setpassword("(sAMAccountName=%s)" % user, password or world.PASSWORDS[user])

    def enable(self, user, password):
        self.database.setpassword("(sAMAccountName=%s)" % user, password)
        self.database.enable_account("(sAMAccountName=%s)" % user)

    def disable(self, user):
        self.database.disable_account("(sAMAccountName=%s)" % user)

    # --- Kerberos

    def kinit(self, cache, principal="alice@" + world.REALM, password=None):
        """A ticket in that cache ("FILE:...", "DIR:...", "KEYRING:...", "KCM:"), as a person gets it: in a collection another user's ticket
        gets a cache of its own, which becomes the primary one."""
        password = password or world.PASSWORDS[principal.split("@")[0]]
        subprocess.run(["kinit", principal], input=password + "\n", text=True, check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, KRB5_CONFIG="/etc/krb5.conf", KRB5CCNAME=cache))

    @contextlib.contextmanager
    def silent(self, address):
        """Packets to that address of the server side are lost without an answer, as behind a bad firewall."""
        server.ip("neighbour replace %s lladdr 02:00:00:00:00:99 dev eth0 nud permanent" % address)
        try:
            yield
        finally:
            server.ip("neighbour delete %s dev eth0" % address)

    # --- the origin

    def origin_log(self, path=None):
        """Requests that arrived at the origin, as dictionaries; only those for that path if one is given."""
        lines = []
        with contextlib.suppress(FileNotFoundError), open(world.ORIGIN_LOG) as log:
            lines = [json.loads(line) for line in log if line.endswith("\n")]
        return [line for line in lines if path is None or line["target"].split("?")[0] == path]


lab = Lab()
