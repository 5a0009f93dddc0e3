"""What README and coming-from.md show: files that load and decide as they say, keys and verbs that there are."""

import os
import re

import agent as lib
import place


def text_of(name):
    with open(os.path.join(lib.ROOT, name), encoding="utf-8") as file:
        return file.read()


def chapter(title, level="##"):
    """What stands in README below that title, up to the next of its level or above."""
    found = re.search(r"^%s %s\n(.*?)(?=^#{1,%d} |\Z)" % (level, re.escape(title), len(level)), text_of("README.md"), re.S | re.M)
    assert found, "README has no chapter " + title
    return found.group(1)


def blocks(text):
    """The indented blocks of a text, without their indent."""
    return [re.sub(r"^    ", "", block, flags=re.M) for block in re.findall(r"(?:^    .*\n(?:^\n(?=    ))?)+", text, re.M)]


class Known(place.Place):
    def setUp(self):
        super().setUp()
        self.keys, section = set(), None
        for line in self.exeat("help", "configuration").stdout.splitlines():
            header = re.match(r"#?\[(\w+)( \S+)?\]$", line)
            key = re.match(r"#?([a-z][\w-]*) =", line)
            if header:
                section = header.group(1)
            elif key:
                self.keys.add("%s %s" % (section, key.group(1)))


class SetUps(Known):
    def loads(self, title):
        shown = blocks(chapter(title, "###"))
        self.assertEqual(len(shown), 1, "one whole file below " + title)
        path = self.configure(shown[0])
        self.expect(0, path + ": ok", "", "check")
        return path

    def goes(self, url, *words):
        text = self.expect(0, "=> ", "", "route", url).stdout
        self.assertIn("=> " + words[0], text)
        for word in words[1:]:
            self.assertIn(word, text)

    def test_there_are_three(self):
        self.assertEqual(len(re.findall(r"^### ", chapter("Three set-ups"), re.M)), 3)

    def test_one_proxy(self):
        self.loads("One proxy")
        self.goes("https://www.example/", "proxy proxy.corp.example:8080")
        for url in ("http://wiki/", "http://a.corp.example/", "http://127.0.0.1:8000/", "http://localhost/", "http://[::1]/"):
            self.goes(url, "direct to ")

    def test_pac(self):
        self.loads("A PAC script")

    def test_laptop(self):
        self.loads("A laptop, in the office and at home")
        self.goes("https://www.example/", "proxy proxy1.corp.example:8080", "else proxy proxy2.corp.example:8080", "when-unreachable = direct")
        self.goes("http://ci.lab.corp.example/", "proxy proxy.lab.corp.example:3128")
        self.goes("http://wiki.corp.example/", "direct to ")
        self.goes("http://192.168.1.1/", "direct to ")
        self.goes("mail.example:25", "blocked")

    def test_the_first_one(self):
        path = self.configure(blocks(chapter("A first configuration"))[0])
        self.expect(0, path + ": ok", "", "check")

    def test_containers(self):
        """Both ways, with an upstream in front."""
        shown = [block for block in blocks(chapter("Containers, virtual machines, WSL")) if "[listen]" in block]
        self.assertEqual(len(shown), 2)
        for block in shown:
            path = self.configure(place.CONFIG + re.sub(r"^(docker|exeat) .*\n", "", block, flags=re.M))
            self.expect(0, path + ": ok", "", "check")


class ComingFrom(Known):
    """Each key that coming-from.md names is one."""

    def test_keys(self):
        named = {"%s %s" % key for key in re.findall(r"`\[(\w+)(?: NAME)?\] ([\w-]+)`", text_of("config/coming-from.md"))}
        self.assertGreater(len(named), 30)
        self.assertEqual(named - self.keys, set())

    def test_nothing_that_looks_like_a_key_is_missed(self):
        text = text_of("config/coming-from.md")
        self.assertEqual(len(re.findall(r"`\[\w+( NAME)?\]", text)), len(re.findall(r"`\[(\w+)(?: NAME)?\] ([\w-]+)`", text)))

    def test_verbs(self):
        named = set(re.findall(r"`exeat ([a-z]+)", text_of("config/coming-from.md")))
        there = set(re.findall(r"^  ([a-z]+) ", self.exeat("help").stdout, re.M))
        self.assertEqual(named - there, set())

    def test_readme_leads_there(self):
        self.assertIn("(config/coming-from.md)", text_of("README.md"))


class Table(Known):
    def test_every_key_of_the_table(self):
        """README's table of settings names nothing that there is not."""
        for line in re.findall(r"^\| (`\[.*?) \|", text_of("README.md"), re.M):
            section = re.match(r"`\[(\w+)", line).group(1)
            for key in re.findall(r"(?:\] |, `)([\w-]+)`", line):
                self.assertIn("%s %s" % (section, key), self.keys)
