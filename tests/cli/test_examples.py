"""The files in config/examples: each is what the program that reads it takes, and what stands in several of them agrees."""

import os
import re
import shutil
import subprocess
import unittest

import agent as lib
import place
from test_readme import blocks, chapter

FOLDER = os.path.join(lib.ROOT, "config", "examples")
HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin:/bin")


def text_of(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def config_of_the_pod():
    """exeat.conf as the ConfigMap has it."""
    found = re.search(r"^  exeat\.conf: \|\n((?:    .*\n|\n)+)", text_of("kubernetes.yaml"), re.M)
    return re.sub(r"^    ", "", found.group(1), flags=re.M)


class Examples(place.Place):
    @unittest.skipUnless(HAPROXY, "no haproxy here")
    def test_haproxy(self):
        done = subprocess.run([HAPROXY, "-c", "-f", os.path.join(FOLDER, "haproxy.cfg")], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotRegex(done.stderr, "WARNING|ALERT")

    def test_kubernetes(self):
        """The configuration loads, with files for those that it names; it names no others than the manifest brings."""
        text, manifest = config_of_the_pod(), text_of("kubernetes.yaml")
        brought = set(re.findall(r"--from-file=([\w-]+)", manifest))
        self.assertEqual(set(re.findall(r"/etc/exeat/secret/([\w-]+)", text)), brought)
        for name in brought:
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write("x\n")
            os.chmod(self.path(name), 0o600)
        path = self.configure(text.replace("/etc/exeat/secret", self.path("")).replace("unix:/run/exeat", "unix:" + self.path("")))
        self.expect(0, path + ": ok", "", "check")
        for mounted in ("/etc/exeat/exeat.conf", "/etc/exeat/secret", "/run/exeat"):
            self.assertIn("mountPath: %s," % mounted if mounted.startswith("/etc") else "mountPath: %s}" % mounted, manifest)
        self.assertEqual(set(re.findall(r"(?:containerPort|port|listen = [\d.]+)[:= ]+(\d+)", manifest)), {"3128"})

    def test_image(self):
        """It runs what the manifest configures, where the manifest has room for it, as the user that the manifest says."""
        image, manifest = text_of("Containerfile"), text_of("kubernetes.yaml")
        self.assertIn("/etc/exeat/exeat.conf", image)
        user = re.search(r"^USER (\d+):", image, re.M).group(1)
        self.assertIn("runAsUser: %s\n" % user, manifest)
        for variable in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
            self.assertRegex(image, variable + r"=/run/exeat\b")

    def test_chapter(self):
        """README's gateway loads, and its links lead somewhere."""
        text = chapter("A gateway")
        shown = [block for block in blocks(text) if "[gateway]" in block]
        for name in ("keytab", "users"):
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write("")
            os.chmod(self.path(name), 0o600)
        path = self.configure("[upstream corp]\nproxy = http://proxy.corp.example:8080\n\n" + shown[0].split("\n\n")[0].replace("/etc/exeat", self.path("")))
        self.expect(0, path + ": ok", "", "check")
        links = re.findall(r"\]\((config/examples/[\w.]+)\)", text)
        self.assertEqual(sorted(os.path.basename(link) for link in links), sorted(os.listdir(FOLDER)))


if __name__ == "__main__":
    unittest.main()
