"""The tests as root: the machine's own settings are out of their reach, whatever a test or a program under test does wrong."""

import os
import pwd
import subprocess
import tempfile
import unittest

import place
import shield

URL = "http://127.0.0.1:4001"


@unittest.skipUnless(os.geteuid() == 0, "only root can change them")
class Shield(place.Place):
    def setUp(self):
        super().setUp()
        if subprocess.run(["unshare", "-m", "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("no namespaces here")
        self.assertTrue(shield.is_up())

    def test_nothing_is_written_there(self):
        for folder in ("/etc", "/var/lib", pwd.getpwuid(0).pw_dir):
            with self.assertRaises(OSError, msg=folder), tempfile.TemporaryFile(dir=folder):
                pass

    def test_nor_by_apps(self):
        self.expect(1, "", "/var/lib/exeat", "apps", "set", "apt", "--proxy", URL)
