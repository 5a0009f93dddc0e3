"""exeat token: a section that loads, a URL that fits it, and nothing kept."""

import hashlib
import os
import re

import place

MADE = re.compile(r"\[client builder\]\ntoken = sha256:([0-9a-f]{64})\n.*http://builder:([\w-]{43})@([\w.:\[\]]+)\n", re.S)
OPEN = "[listen]\nhttp = 127.0.0.1:3128 10.5.0.1:3199\nallow = 10.5.0.0/16\n"


class Token(place.Place):
    def made(self, *words, **options):
        text = self.expect(0, "[client builder]", "", "token", "builder", *words, **options).stdout
        digest, token, address = MADE.match(text).groups()
        self.assertEqual(hashlib.sha256(token.encode()).hexdigest(), digest)
        return text, token, address

    def test_made(self):
        before = {path for path, _, _ in os.walk(self.directory)}
        text, token, address = self.made()
        self.assertEqual(address, "172.17.0.1:3128")
        self.assertIn("172.17.0.1:3128 stands for the address in http = of [listen] that the client reaches", text)
        self.assertNotEqual(self.made()[1], token)
        self.assertEqual({path for path, _, _ in os.walk(self.directory)}, before)

    def test_fits_the_configuration(self):
        path = self.write("open.conf", OPEN + place.CONFIG)
        self.expect(3, "", "write a [client NAME] section, which \"exeat token NAME\" makes", "check", "--config", path)
        text, _, address = self.made("--config", path)  # it is not right yet without one
        self.assertEqual(address, "172.17.0.1:3128")
        path = self.write("open.conf", OPEN + place.CONFIG + text.partition("\n\n")[0])
        self.expect(0, path + ": ok (2 upstreams, 2 listeners)", "", "check", "--config", path)
        text, _, address = self.made("--config", path)
        self.assertEqual(address, "10.5.0.1:3199")
        self.assertNotIn("stands for", text)

    def test_the_token_itself_is_no_setting(self):
        _, token, _ = self.made()
        path = self.write("open.conf", place.CONFIG + "[client builder]\ntoken = %s\n" % token)
        answer = self.expect(3, "", "The token itself never stands here", "check", "--config", path)
        self.assertNotIn(token, answer.stderr)

    def test_usage(self):
        self.expect(2, "", "for whom?", "token")
        for name in ("a b", "a:b", "", "[x]", "a\nb"):
            self.expect(2, "", "the name of a client is made of letters", "token", name)
