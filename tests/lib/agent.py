"""One running agent in a private directory, for tests.

    with Agent("[upstream corp]\nproxy = http://127.0.0.1:%d\nauth = none\n" % port) as agent:
        ... agent.port ...

Leaving the block ends the agent with SIGTERM and checks that it went well: exit status 0, no report of a sanitizer. When the block
itself failed, the agent's log is attached to the failure. Nothing outlives the block: not the processes, not the directory.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE = float(os.environ.get("EXEAT_TEST_PATIENCE", "30"))  # seconds until a wait counts as failed; never a figure that is tested

_READY = re.compile(r"ready: listening on (?:http://(\[[^\]]*\]|[^\s:]+):(\d+)|unix:(\S+))\s")  # a whole line: not what has been written of it so far
_SANITIZER = re.compile(r"ERROR: (?:Address|Leak)Sanitizer|WARNING: ThreadSanitizer|: runtime error: |SUMMARY: \w+Sanitizer")
_NO_NETWORK_KRB5 = """[libdefaults]
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
"""


class AgentError(AssertionError):
    """The agent did not do what every test takes for granted; carries its log."""


def build_directory():
    return os.path.abspath(os.environ.get("EXEAT_BUILD") or os.path.join(ROOT, "build"))


def wait_until(condition, what, patience=PATIENCE):
    """Asks until the answer is true and returns it; a bounded wait for something that another process does."""
    end = time.monotonic() + patience
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AgentError("waited in vain for " + what)
        time.sleep(0.005)


def ended(pid):
    """Has it ended? One that nobody has waited for yet has, too."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def memory(pid, field="VmRSS"):
    """A line of /proc/PID/status in KiB: VmRSS, VmHWM."""
    with open("/proc/%d/status" % pid) as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise KeyError(field)


def cpu_seconds(pid):
    """User and system time of a process so far."""
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _start_ticks(pid):
    """When it began; one that has ended meanwhile comes last."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return int(stat.read().rpartition(")")[2].split()[19])
    except OSError:
        return float("inf")


def _session(pid):
    """None: it has ended meanwhile, as the verbs of other tests do all the time."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def processes():
    """(pid, parent, name) of every process that can be seen."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry, errors="replace") as stat:
                    text = stat.read()
            except OSError:
                continue
            name = text[text.index("(") + 1:text.rindex(")")]
            yield int(entry), int(text.rsplit(")", 1)[1].split()[1]), name


class Agent:
    """config: text of the file; `[listen] http = 127.0.0.1:0 drain = 0` goes in front unless it has a [listen] section. None: no file at all.
    build: directory of the programs. env: variables set over a clean environment (a value of None removes one). wrap: words in front
    of the command, which must end in an exec. args: further arguments of `exeat run`. files: name -> text or bytes, written into the
    directory with mode 0600 before the start; "@DIR@" in the configuration stands for the directory. start=False: start() later.
    ready=False: start() does not wait until it listens."""

    def __init__(self, config, build=None, env=None, wrap=(), args=(), files=None, start=True, ready=True):
        self.build = os.path.abspath(build) if build else build_directory()
        self.wrap = list(wrap)
        self.args = list(args)
        self.directory = tempfile.mkdtemp(prefix="exeat-test-")
        self.process = None
        self.port = self.url = self.pid = None
        self.listeners = []  # (host, port) or path, in the order of the ready lines
        self._status_checked = False
        self._wait_ready = ready
        for name in ("runtime", "state", "home", "home/.config", "home/.config/exeat"):
            os.mkdir(os.path.join(self.directory, name), 0o700)
        for name, content in (files or {}).items():
            self.write(name, content)
        self.write("krb5.conf", _NO_NETWORK_KRB5)
        self.env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": os.path.join(self.directory, "home"),
            "XDG_RUNTIME_DIR": os.path.join(self.directory, "runtime"),
            "XDG_STATE_HOME": os.path.join(self.directory, "state"),
            "XDG_CONFIG_HOME": os.path.join(self.directory, "home", ".config"),
            "KRB5_CONFIG": os.path.join(self.directory, "krb5.conf"),
            "KRB5CCNAME": "FILE:" + os.path.join(self.directory, "no-tickets"),
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=" + os.path.join(self.directory, "no-bus"),
        }
        for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LLVM_PROFILE_FILE", "GCOV_PREFIX", "GCOV_PREFIX_STRIP"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        for name, value in (env or {}).items():
            if value is None:
                self.env.pop(name, None)
            else:
                self.env[name] = value
        self.config_path = None
        if config is not None:
            self.configure(config)
        self.log_path = os.path.join(self.directory, "log")
        if start:
            try:
                self.start()
            except BaseException:
                self._clean_up()
                raise

    # --- files

    def write(self, name, content):
        """A file in the private directory, replaced in one step; returns its path."""
        path = os.path.join(self.directory, name)
        with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.rename(path + ".new", path)
        return path

    def configure(self, config):
        """Writes the configuration (for reload, after the start)."""
        if not re.search(r"^\s*\[listen\]", config, re.M):
            config = "[listen]\nhttp = 127.0.0.1:0\ndrain = 0\n" + config
        config = config.replace("@DIR@", self.directory)
        match = re.search(r"^\s*http\s*=\s*([^#\n]*)", config, re.M)
        self._expected = len(match.group(1).split()) if match else 1
        self.config_path = self.write("exeat.conf", config)

    # --- life

    def start(self):
        command = self.wrap + [os.path.join(self.build, "exeat"), "run"]
        if self.config_path:
            command += ["--config", self.config_path]
        with open(self.log_path, "ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(command + self.args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                                            cwd=self.directory, start_new_session=True)
        self.pid = self.process.pid
        self._status_checked = False
        if self._wait_ready:
            self.wait_ready()

    def wait_ready(self):
        expected = getattr(self, "_expected", 1)

        def ready():
            with open(self.log_path, "rb") as log:
                log.seek(self._log_start)
                found = _READY.findall(log.read().decode(errors="replace"))
            if len(found) >= expected:
                return found
            if self.process.poll() is not None:
                self._status_checked = True
                raise AgentError("the agent ended with status %d before it listened; its log:\n%s" % (self.process.returncode, self.log()))
            return None

        try:
            found = wait_until(ready, "the line that says ready")
        except AgentError as error:
            if "its log" not in str(error):
                error.add_note("its log:\n" + self.log())
            raise
        self.listeners = [path if path else (host.strip("[]"), int(port)) for host, port, path in found[-expected:]]
        for host, port, _path in found[-expected:]:
            if port:
                self.port = int(port)
                self.url = "http://%s:%s" % (host, port)
                break
        if self.wrap:  # a prefix that forks: the agent is the first of its line with our name
            for pid, _parent, name in processes():
                if name == "exeat" and _session(pid) == self.process.pid:
                    self.pid = pid
                    break

    def stop(self, number=signal.SIGTERM):
        """Asks it to end, and checks that it does so with status 0 and nothing for a sanitizer to report."""
        if self.process.poll() is None:
            os.kill(self.pid, number)
        self.wait_end(0)

    def wait_end(self, status=None):
        """Waits until it has ended by itself; checks the status where one is given."""
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AgentError("the agent does not end; its log:\n" + self.log()) from None
        self._status_checked = True
        if status is not None and self.process.returncode != status:
            raise AgentError("the agent ended with status %d, not %d; its log:\n%s" % (self.process.returncode, status, self.log()))
        self.check_log()
        return self.process.returncode

    def check_log(self):
        if _SANITIZER.search(self.log()):
            raise AgentError("a sanitizer has something to say:\n" + self.log())

    def kill(self):
        if self.process and self.process.poll() is None:
            self._status_checked = True
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)

    def restart(self):
        self.stop()
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            if error is not None:
                if hasattr(error, "add_note"):
                    error.add_note("the agent's log:\n" + self.log()[-20000:])
            elif self.process and not self._status_checked:
                if self.process.poll() is not None:
                    self.wait_end(0)
                    raise AgentError("the agent ended by itself; its log:\n" + self.log())
                self.stop()
        finally:
            self._clean_up()

    def _clean_up(self):
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except OSError:
                pass
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- what it says

    def log(self):
        try:
            with open(self.log_path, "rb") as log:
                return log.read().decode(errors="replace")
        except OSError:
            return ""

    def wait_log(self, pattern, patience=PATIENCE):
        """Waits until the log has a match, and returns it."""
        return wait_until(lambda: re.search(pattern, self.log()), "%r in the log" % pattern, patience)

    def port_of(self, what):
        """The port of the latest door of that kind: "SOCKS", "forward NAME". Its line comes behind those that the start waits for."""
        line = r"ready: %s on \S+:(\d+)\s" % re.escape(what)
        self.wait_log(line)
        return int(re.findall(line, self.log())[-1])

    def exeat(self, *args, input=None, check=False, env=None, patience=2 * PATIENCE):
        """Runs a verb with the same environment; standard output and error as text."""
        environment = dict(self.env, **env) if env else self.env
        return subprocess.run([os.path.join(self.build, "exeat"), *args], input=input, check=check, env=environment, cwd=self.directory,
                              stdin=subprocess.DEVNULL if input is None else None, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=patience)

    def status(self):
        answer = self.exeat("status", "--json")
        if answer.returncode != 0:
            raise AgentError("exeat status --json ended with %d: %s%s" % (answer.returncode, answer.stdout, answer.stderr))
        return json.loads(answer.stdout)

    def reload(self):
        answer = self.exeat("reload")
        if answer.returncode != 0:
            raise AgentError("exeat reload ended with %d: %s%s" % (answer.returncode, answer.stdout, answer.stderr))
        return answer

    def starter_pid(self):
        """The process that starts the keyholder, or None: the first of its kind, another one starts exeat-pac."""
        starters = [pid for pid, parent, name in processes() if parent == self.pid and name == "exeat-starter"]
        return min(starters, key=lambda pid: (_start_ticks(pid), pid), default=None)

    def keys_pid(self):
        """The keyholder's process, or None."""
        starter = self.starter_pid()
        for pid, parent, name in processes():
            if parent == starter and name == "exeat-keys":
                return pid
        return None

    def rss(self, field="VmRSS"):
        return memory(self.pid, field)
