"""Real programs that "exeat apps set" has pointed at the agent: downloaders and package managers. (Java and its builders, containers, desktops: the files
beside this one.) By their files alone, in tests/cli: what Debian does not package."""

import json
import os
import subprocess

import content
import world
from plain import plain
from programs import Kind, ProgramTest, add_tests
from session import HTTP, HTTPS

FILES = "/files"
KINDS = {
    "apt": Kind("apt-get", tunnel=False, found=("/usr/bin/apt-get",), more="[listen]\nhttp = 127.0.0.1:0\nallow-uids = self root _apt\n"),
    "cargo": Kind("/usr/bin/cargo", {".cargo/config.toml": "[term]\nquiet = true\n"}, plain=False),
    "composer": Kind("composer", None, plain=False),
    "curl": Kind("curl", {".curlrc": "# mine\n-s"}),
    "dnf": Kind("dnf", found=("/usr/bin/dnf",)),
    "gem": Kind("gem", {".gemrc": "---\n:verbose: true\n"}),
    "git": Kind("git", {".gitconfig": "[user]\n\tname = alice\n[http]\n\tproxy = http://127.0.0.1:9 # old\n"}),
    "go": Kind("go", None, plain=False),
    "maven": Kind("mvn", plain=False),
    "npm": Kind("npm", {".npmrc": "fund=false\r\nproxy=http://127.0.0.1:9\r\n"}),
    "pip": Kind("/usr/bin/pip3", {".config/pip/pip.conf": "[global]\ndisable-pip-version-check = yes"}),
    "ssh": Kind("ssh", {".ssh/config": "Host nothing\n    Port 1\n"}, plain=False),
    "wget": Kind("wget", {".wgetrc": "http_proxy = http://127.0.0.1:9\n"}),
    "yarn": Kind("yarnpkg", {".yarnrc": "disable-self-update-check true\n"}),
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


@plain("most of its time is other programs'")
class AppsTest(ProgramTest):
    """A test for each program."""


add_tests(AppsTest, Downloads, KINDS)
