"""Real programs that "exeat apps set" has pointed at the agent, with a Squid behind it that demands NTLM: each downloads something, and after
"exeat apps unset" every file is what it was. The programs know nothing of a proxy by themselves: no variable names one.

By their files alone, in tests/cli: what Debian does not package, or what is too large for here or needs a desktop."""

import json
import os
import shutil
import stat
import subprocess
import tempfile
import unittest

import content
import world
from session import HTTP, HTTPS, agent_for, watching

FILES = "/files"
# What stands in each file before; None: it is not there.
BEFORE = {
    "apt": {},
    "cargo": {".cargo/config.toml": "[term]\nquiet = true\n"},
    "curl": {".curlrc": "# mine\n-s"},
    "dnf": {},
    "gem": {".gemrc": "---\n:verbose: true\n"},
    "git": {".gitconfig": "[user]\n\tname = alice\n[http]\n\tproxy = http://127.0.0.1:9 # old\n"},
    "maven": {},
    "npm": {".npmrc": "fund=false\r\nproxy=http://127.0.0.1:9\r\n"},
    "pip": {".config/pip/pip.conf": "[global]\ndisable-pip-version-check = yes"},
    "ssh": {".ssh/config": "Host nothing\n    Port 1\n"},
    "wget": {".wgetrc": "http_proxy = http://127.0.0.1:9\n"},
    "yarn": {".yarnrc": "disable-self-update-check true\n"},
}


class Downloads:
    """Each program once plain and once through CONNECT, as far as it does both; raises unless it got what it asked for."""

    @staticmethod
    def curl(test):
        for base in (HTTP, HTTPS):
            test.assertEqual(test.run_program("curl", "-S", base + "/bytes/1000", text=False), content.data(1000))

    @staticmethod
    def wget(test):
        for base in (HTTP, HTTPS):
            test.assertEqual(test.run_program("wget", "-q", "-O", "-", base + "/bytes/1000", text=False), content.data(1000))

    @staticmethod
    def git(test):
        for number, base in enumerate((HTTP, HTTPS)):
            test.run_program("git", "clone", "-q", base + "/git/small.git", "copy-%d" % number)
            test.assertTrue(os.path.exists(test.work + "/copy-%d/README" % number))

    @staticmethod
    def npm(test):
        for number, base in enumerate((HTTP, HTTPS)):
            test.write_package(number)
            test.run_program("npm", "install", "--registry=%s/npm/" % base, "--fetch-retries=0", "--no-audit", "--no-update-notifier",
                             "--cache=" + test.work + "/npm-cache-%d" % number, content.NPM_NAME, cwd="node-%d" % number)
            test.assertTrue(os.path.exists(test.work + "/node-%d/node_modules/%s/index.js" % (number, content.NPM_NAME)))

    @staticmethod
    def yarn(test):
        for number, base in enumerate((HTTP, HTTPS)):
            test.write_package(number)
            test.run_program("yarnpkg", "add", "--registry", base + "/npm/", "--no-lockfile", "--cache-folder", test.work + "/yarn-%d" % number,
                             content.NPM_NAME, cwd="node-%d" % number, NODE_PATH="/usr/share/nodejs")  # for a node that is not Debian's
            test.assertTrue(os.path.exists(test.work + "/node-%d/node_modules/%s/index.js" % (number, content.NPM_NAME)))

    @staticmethod
    def pip(test):
        for number, base in enumerate((HTTP, HTTPS)):
            test.run_program(world.PYTHON, "-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir", "-d", "wheels-%d" % number, "-i", base + FILES + "/simple",
                             "--trusted-host", "origin.example", content.WHEEL)
            test.assertEqual(len(os.listdir(test.work + "/wheels-%d" % number)), 1)

    @staticmethod
    def gem(test):
        for base in (HTTP, HTTPS):
            run = test.run_program("gem", "search", "--remote", "--clear-sources", "--source", base + FILES + "/", "tiny", check=False)
            test.assertIn("tiny-lab-gem (1.0.0)", run.stdout, run.stderr)

    @staticmethod
    def cargo(test):
        os.makedirs(test.work + "/crate/src")
        for name, text in (("Cargo.toml", "[package]\nname = \"c\"\nversion = \"1.0.0\"\n[dependencies]\nsmall = { git = \"%s/git/small.git\" }\n" % HTTPS),
                           ("src/lib.rs", "")):
            with open(test.work + "/crate/" + name, "w") as file:
                file.write(text)
        run = test.run_program("/usr/bin/cargo", "fetch", cwd="crate", check=False)
        test.assertIn("Could not find Cargo.toml", run.stderr)  # it has the repository, which is no crate

    @staticmethod
    def maven(test):
        """It builds nothing: it looks for the parent, which is at the origin only. Java does not look at HOME."""
        with open(test.work + "/pom.xml", "w") as file:
            file.write("<project><modelVersion>4.0.0</modelVersion><parent><groupId>lab</groupId><artifactId>parent</artifactId><version>1</version>"
                       "</parent><artifactId>child</artifactId><packaging>pom</packaging><repositories><repository><id>lab</id><url>%s/maven</url>"
                       "</repository></repositories></project>" % (HTTPS + FILES))
        store = test.work + "/store.p12"
        subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "lab", "-file", world.CA_CERT, "-keystore", store, "-storepass", "changeit"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        test.run_program("mvn", "-B", "-q", "--settings", test.home + "/.m2/settings.xml", "-Dmaven.repo.local=" + test.work + "/m2", "validate",
                         MAVEN_OPTS="-Djavax.net.ssl.trustStore=%s -Djavax.net.ssl.trustStorePassword=changeit" % store)
        test.assertTrue(os.path.exists(test.work + "/m2/lab/parent/1/parent-1.pom"))

    @staticmethod
    def ssh(test):
        """The origin has no ssh server: what answers there hangs up when ssh has said who it is. The way to it is what counts."""
        run = test.run_program("ssh", "-F", test.home + "/.ssh/config", "-o", "BatchMode=yes", "-p", "8080", "origin.example", check=False)
        test.assertEqual(run.returncode, 255)

    @staticmethod
    def apt(test):
        """Downloads as _apt, which the agent lets in only because the configuration says so."""
        os.chmod(test.work, 0o755)
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(test.work + "/" + name)
        for name, text in (("sources.list", "deb [trusted=yes] %s/apt ./\n" % (HTTP + FILES)),
                           ("apt.conf", "Dir::Etc::Parts \"%s/etc/apt/apt.conf.d\";\nDir::Etc::Main \"/dev/null\";\nDir::Etc::SourceList \"%s/sources.list\";\n"
                                        "Dir::Etc::SourceParts \"/dev/null\";\nDir::State::Lists \"%s/lists\";\nDir::Cache \"%s/cache\";\n"
                                        "Acquire::Languages \"none\";\nAcquire::Retries \"0\";\n" % (test.root, test.work, test.work, test.work))):
            with open(test.work + "/" + name, "w") as file:
                file.write(text)
        test.run_program("apt-get", "update", APT_CONFIG=test.work + "/apt.conf")
        said = test.run_program("apt-cache", "show", "tiny-lab-deb", APT_CONFIG=test.work + "/apt.conf")
        test.assertIn("Version: 1.0", said)

    @staticmethod
    def dnf(test):
        for base in (HTTP, HTTPS):
            said = test.run_program("dnf", "-c", test.root + "/etc/dnf/dnf.conf", "--installroot=" + test.work, "--releasever=1", "--setopt=reposdir=/nowhere",
                                    "--setopt=cachedir=" + test.work + "/cache", "--setopt=logdir=" + test.work, "--setopt=pluginpath=/nowhere",
                                    "--repofrompath=lab,%s/dnf" % (base + FILES), "--repo=lab", "--refresh", "makecache")
            test.assertIn("Metadata cache created", said)

    # --- those that know the environment only, by "exeat exec"

    @staticmethod
    def composer(test):
        with open(test.work + "/composer.json", "w") as file:
            json.dump({"repositories": [{"type": "composer", "url": HTTPS + FILES + "/composer"}, {"packagist.org": False}]}, file)
        said = test.run_program("composer", "show", "--no-interaction", "--available", content.PHP, through_exec=True, COMPOSER_ALLOW_SUPERUSER="1")
        test.assertIn("1.0.0", said)

    @staticmethod
    def go(test):
        test.run_program("go", "mod", "download", content.GO + "@v1.0.0", through_exec=True, GOPROXY=HTTPS + FILES + "/go", GONOSUMDB="*", GOFLAGS="-mod=mod -modcacherw",
                         GOMODCACHE=test.work + "/go", GOCACHE=test.work + "/go-cache")
        test.assertTrue(os.path.exists(test.work + "/go/%s@v1.0.0/tiny.go" % content.GO))


COMMAND = {"cargo": "/usr/bin/cargo", "yarn": "yarnpkg", "apt": "apt-get", "maven": "mvn", "pip": "/usr/bin/pip3"}
PLAIN_ONLY, TUNNELS_ONLY = ("apt",), ("cargo", "maven", "composer", "go", "ssh")


class AppsTest(unittest.TestCase):
    """Filled in below: a test for each program."""

    maxDiff = None

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
        environment.update(TMPDIR=world.TMP, SSL_CERT_FILE=world.CA_BUNDLE, NODE_EXTRA_CA_CERTS=world.CA_CERT, GIT_TERMINAL_PROMPT="0", **more)
        run = subprocess.run(command, env=environment, cwd=os.path.join(self.work, cwd), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=text, timeout=100)
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
            if os.path.exists(path):
                with open(path, "rb") as file:
                    found[name] = (stat.S_IMODE(os.stat(path).st_mode), file.read())
            else:
                found[name] = None
        return found

    def written(self, name):
        state = [one for one in json.loads(self.exeat("apps", "--json", "--root", self.root).stdout)["apps"] if one["name"] == name]
        self.assertEqual([one["state"] for one in state], ["exeat"], state)
        return [path for path in state[0]["files"]]


def program(name):
    def test(self):
        more = "[listen]\nhttp = 127.0.0.1:0\nallow-uids = self root _apt\n" if name == "apt" else ""
        self.start(more)
        for file, text in BEFORE.get(name, {}).items():
            path = os.path.join(self.home, file)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", newline="") as out:
                out.write(text)
        if name in BEFORE:
            for path in ("/usr/bin/apt-get", "/usr/bin/dnf"):  # what `apps` finds below the root
                os.makedirs(self.root + "/usr/bin", exist_ok=True)
                with open(self.root + path, "w") as out:
                    os.chmod(out.fileno(), 0o755)
            self.exeat("apps", "set", "--root", self.root, name)
            paths = self.written(name)
            self.exeat("apps", "unset", "--root", self.root, name)
            before = self.settings(paths)
            self.assertEqual({os.path.relpath(path, self.home): entry[1].decode() for path, entry in before.items() if entry}, BEFORE[name])
            said = self.exeat("apps", "set", "--root", self.root, name).stderr
            self.assertNotIn("allow-uids", said)
            self.assertNotEqual(self.settings(paths), before)
        with watching("ntlm") as lines:
            getattr(Downloads, name)(self)
        done = {line.method for line in lines if line.status == 200}
        if name not in TUNNELS_ONLY:
            self.assertIn("GET", done)
        if name not in PLAIN_ONLY:
            self.assertIn("CONNECT", done)
        if name in BEFORE:
            self.exeat("apps", "unset", "--root", self.root, name)
            self.assertEqual(self.settings(paths), before)
    return test


for _name in sorted(name for name in vars(Downloads) if not name.startswith("_")):
    _test = program(_name)
    if shutil.which(COMMAND.get(_name, _name)) is None:
        _test = unittest.skip("%s is not installed" % _name)(_test)
    setattr(AppsTest, "test_" + _name, _test)
