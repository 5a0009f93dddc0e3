"""The bench on which "exeat apps" is tried with real programs: set, a download through a Squid that demands NTLM, unset, and every file is what it was.
The programs know nothing of a proxy by themselves: no variable names one."""

import collections
import json
import os
import shutil
import stat
import subprocess
import tempfile
import unittest

import world
from session import agent_for, watching

# How a program is tried. command: what must be installed; before: what stands in each file of its own (None: it has none, and runs below "exeat exec");
# plain, tunnel: does it send GET, CONNECT; found: what `apps` is to find below the root; more: of the configuration; env: for the program, and for exeat, too.
Kind = collections.namedtuple("Kind", "command before plain tunnel found more env", defaults=({}, True, True, (), "", {}))


class ProgramTest(unittest.TestCase):
    """A person's home, a root for system-wide files, and an agent in front of the Squid that demands NTLM."""

    maxDiff = None
    seconds = 300  # what builds with Java begins slowly where others work, too

    def start(self, more=""):
        self.agent = agent_for("ntlm", auth="ntlm", more=more)
        self.agent.__enter__()
        self.addCleanup(lambda: self.agent.__exit__(None, None, None))
        self.home = self.agent.env["HOME"]
        self.work = tempfile.mkdtemp(dir=world.TMP)
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)
        self.root = self.agent.directory + "/root"
        os.makedirs(self.root)

    def run_program(self, *command, cwd="", check=True, text=True, through_exec=False, **more):
        if through_exec:
            command = (os.path.join(self.agent.build, "exeat"), "exec", "--", *command)
        kept = ("PATH", "LANG", "HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS")
        environment = {name: self.agent.env[name] for name in kept if name in self.agent.env}
        environment.update(TMPDIR=world.TMP, SSL_CERT_FILE=world.CA_BUNDLE, NODE_EXTRA_CA_CERTS=world.CA_CERT, GIT_TERMINAL_PROMPT="0", **self.more, **more)
        run = subprocess.run(command, env=environment, cwd=os.path.join(self.work, cwd), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=text, timeout=self.seconds - 30)
        if check and run.returncode != 0:
            self.fail("%s ended with %d:\n%s%s" % (" ".join(command), run.returncode, run.stdout[-3000:], run.stderr[-3000:]))
        return run.stdout if check else run

    def write_package(self, number):
        os.makedirs(self.work + "/node-%d" % number)
        with open(self.work + "/node-%d/package.json" % number, "w") as file:
            file.write('{"name": "here", "version": "1.0.0", "license": "MIT"}\n')

    def exeat(self, *words):
        answer = self.agent.exeat(*words)
        self.assertEqual(answer.returncode, 0, answer)
        return answer

    def settings(self, names):
        """Mode and bytes of these files, None for those that are not there."""
        found = {}
        for name in names:
            path = os.path.join(self.home, name)
            if name.startswith("gsettings "):
                found[name] = self.run_program("gsettings", "list-recursively", name.split()[1])
            elif os.path.exists(path):
                with open(path, "rb") as file:
                    found[name] = (stat.S_IMODE(os.stat(path).st_mode), file.read())
            else:
                found[name] = None
        return found

    def written(self, name):
        state = [one for one in json.loads(self.exeat("apps", "--json", "--root", self.root).stdout)["apps"] if one["name"] == name]
        self.assertEqual([one["state"] for one in state], ["exeat"], state)
        return [path for path in state[0]["files"]]

    def place_of(self, file):
        """A file of the home directory, or (with a slash in front) of the system."""
        return self.root + file if file.startswith("/") else os.path.join(self.home, file)

    def write_files(self, kind):
        for file, text in [*kind.before.items(), *((file, "") for file in kind.found)]:
            path = self.place_of(file)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", newline="") as out:
                out.write(text)
                os.chmod(out.fileno(), 0o644 if file in kind.before else 0o755)

    def with_system_file(self, name, *command):
        """The command, for which the system's file or directory `name` is the one below our root."""
        return ("unshare", "-m", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", self.root + name, name, *command)

    def with_etc(self, *command):
        """The command, which finds what is in our root's /etc laid over the system's."""
        return ("unshare", "-m", "sh", "-c", 'mount -t overlay overlay -o "lowerdir=$1:/etc" /etc && shift && exec "$@"', "sh", self.root + "/etc", *command)

    def with_own_etc(self, folder, *command):
        """The command, whose changes to /etc go into that new folder."""
        return ("unshare", "-m", "sh", "-c", 'mkdir "$1" "$1/new" "$1/work" && mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/new,workdir=$1/work" /etc '
                '&& shift && exec "$@"', "sh", folder, *command)


def _test(download, name, kind):
    def test(self):
        self.start(kind.more)
        self.agent.env.update(kind.env)
        self.more = kind.env
        if kind.before is not None:
            self.write_files(kind)
            self.exeat("apps", "set", "--root", self.root, name)
            paths = self.written(name)
            self.exeat("apps", "unset", "--root", self.root, name)
            before = self.settings(paths)
            self.assertEqual({os.path.relpath(path, self.home): entry[1].decode() for path, entry in before.items() if isinstance(entry, tuple)},
                             {os.path.relpath(self.place_of(file), self.home): text for file, text in kind.before.items()})
            said = self.exeat("apps", "set", "--root", self.root, name).stderr
            self.assertNotIn("allow-uids =", said)
            self.assertNotEqual(self.settings(paths), before)
        with watching("ntlm") as lines:
            download(self)
        done = {line.method for line in lines if line.status == 200}
        if kind.plain:
            self.assertIn("GET", done)
        if kind.tunnel:
            self.assertIn("CONNECT", done)
        if kind.before is not None:
            self.exeat("apps", "unset", "--root", self.root, name)
            self.assertEqual(self.settings(paths), before)
    return test


def add_tests(case, downloads, kinds):
    """A test for each of the downloads, by name."""
    for name in sorted(name for name in vars(downloads) if not name.startswith("_")):
        kind = kinds[name]
        test = _test(getattr(downloads, name), name.replace("_", "-"), kind)
        missing = [command for command in kind.command.split() if shutil.which(command) is None and not os.path.exists(command)]
        if missing:
            test = unittest.skip("%s is not installed" % missing[0])(test)
        setattr(case, "test_" + name, test)
