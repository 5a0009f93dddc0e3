"""A private place for practice: one directory, and the programs that were started in it. Both are gone when it is left."""

import ctypes
import grp
import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("EXEAT_BUILD") or os.path.join(ROOT, "build"))
EXEAT = os.path.join(BUILD, "exeat")
SQUID = "/usr/sbin/squid"
DIGEST_HELPER = "/usr/lib/squid/digest_file_auth"
USER, REALM = "practice", "practice proxy"
PATIENCE = 30  # seconds until a program that does not get ready counts as broken

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1

SQUID_CONF = """http_port 127.0.0.1:{port}
visible_hostname proxy.practice.example
pid_filename {dir}/pid
cache_log {dir}/cache.log
logformat practice %>Hs %un %rm %ru
access_log stdio:{dir}/access.log practice
cache deny all
coredump_dir {dir}
pinger_enable off
shutdown_lifetime 0 seconds
{user}
auth_param digest program {helper} -c {dir}/users
auth_param digest children 2 startup=1 idle=1
auth_param digest realm {realm}
acl authed proxy_auth REQUIRED
http_access deny !authed
http_access allow authed

cache_peer 127.0.0.1 parent {origin} 0 no-query originserver name=origin
acl practice dstdomain .practice.example
cache_peer_access origin allow practice
cache_peer_access origin deny all
never_direct allow practice
"""

EXEAT_CONF = """[listen]
http = 127.0.0.1:{port}

[upstream practice]
proxy = http://127.0.0.1:{squid}
auth = digest
user = {user}
secret = file:{secret}

[log]
level = debug
"""


class PracticeError(Exception):
    """Something did not start; says what, and what to do."""


def free_port(wanted=0):
    """`wanted` when it can be had, else some other one that is free now."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise PracticeError("There is no free port on 127.0.0.1.")


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise PracticeError(what)
        time.sleep(0.02)


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Place:
    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="exeat-practice-")
        self.running = []  # (name, Popen), in the order of their start
        self.runtime = self.make_folder("runtime")
        self.home = self.make_folder("home")
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": os.environ.get("LANG", "C.UTF-8"), "HOME": self.home,
            "XDG_RUNTIME_DIR": self.runtime, "XDG_CONFIG_HOME": self.home, "XDG_STATE_HOME": self.home, "XDG_CACHE_HOME": self.home}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        return self

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM):  # no second Ctrl-C half-way
            signal.signal(number, signal.SIG_IGN)
        for _name, process in reversed(self.running):
            self.end(process)
        shutil.rmtree(self.directory, ignore_errors=True)

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def make_folder(self, name):
        os.mkdir(self.path(name), 0o700)
        return self.path(name)

    def write(self, name, text):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def start(self, name, command):
        """A program in the background, with a log of its own; it ends with this process, whatever happens to that."""
        with open(self.path(name + ".log"), "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, cwd=self.directory,
                                       start_new_session=True, preexec_fn=lambda: _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM))
        self.running.append((name, process))
        return process

    def run(self, *command, proxy=None, cwd=None):
        """A program to its end, with the proxy variables set. Returns (status, output)."""
        environment = dict(self.environment)
        if proxy:
            environment.update(http_proxy=proxy, https_proxy=proxy)
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
                                cwd=cwd or self.home, timeout=120, text=True, errors="replace", check=False)
        return answer.returncode, answer.stdout

    def start_squid(self, origin):
        """A Squid that demands Digest, as the current user (Squid insists on another one when that is root). Sets self.squid."""
        for program in (SQUID, DIGEST_HELPER):
            if not os.path.exists(program):
                raise PracticeError("%s is missing: install squid-openssl or squid (make deps does it)." % program)
        folder = self.make_folder("squid")
        password = secrets.token_urlsafe(18)
        self.secret = self.write("secret", password + "\n")
        digest = hashlib.md5(("%s:%s:%s" % (USER, REALM, password)).encode()).hexdigest()
        self.write("squid/users", "%s:%s:%s\n" % (USER, REALM, digest))
        self.squid = free_port()
        as_user = ""
        if os.getuid() == 0:
            as_user = "cache_effective_user proxy"
            os.chmod(self.directory, 0o711)
        self.write("squid/conf", SQUID_CONF.format(port=self.squid, origin=origin, dir=folder, helper=DIGEST_HELPER, realm=REALM, user=as_user))
        if os.getuid() == 0:
            for path in (folder, os.path.join(folder, "users"), os.path.join(folder, "conf")):
                os.chown(path, pwd.getpwnam("proxy").pw_uid, grp.getgrnam("proxy").gr_gid)
        process = self.start("squid", [SQUID, "-N", "-f", os.path.join(folder, "conf")])

        def answers():
            if process.poll() is not None:
                raise PracticeError("Squid did not start. It says:\n" + (read(self.path("squid.log")) + read(self.path("squid", "cache.log")))[-3000:])
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.squid)) == 0

        wait_until(answers, "Squid does not listen.")

    def squid_log(self):
        """A line for each request that has ended: status, user or -, method, target."""
        lines = read(self.path("squid", "access.log")).split("\n")[:-1]
        return [line for line in lines if not line.startswith("0 ")]  # 0: a connection without a request

    def squid_log_after(self, seen):
        """What came after that many lines. Squid writes a line when it knows that all is over, so a client may be ahead of it."""
        end = time.monotonic() + 3
        while len(self.squid_log()) == seen and time.monotonic() < end:
            time.sleep(0.02)
        return self.squid_log()[seen:]

    def start_exeat(self):
        """The agent in front of that Squid, on port 3128 when that is free. Sets self.agent and self.proxy."""
        if not os.path.exists(EXEAT):
            raise PracticeError("%s is missing: run make first." % EXEAT)
        text = EXEAT_CONF.format(port=free_port(3128), squid=self.squid, user=USER, secret=self.secret)
        self.agent = self.start("exeat", [EXEAT, "run", "--config", self.write("exeat.conf", text)])

        def ready():
            if self.agent.poll() is not None:
                raise PracticeError("exeat did not start. It says:\n" + self.agent_log()[-3000:])
            return re.search(r"ready: listening on (http://\S+)", self.agent_log())

        self.proxy = wait_until(ready, "exeat does not get ready.").group(1).rstrip("/")

    def agent_log(self):
        return read(self.path("exeat.log"))
