"""[headers]: what arrives at the proxy, by destination and by upstream, of requests and of CONNECT; and what nothing can touch."""

import json

import wire
from base import Scenario, corp
from gates import Ntlm
from proxy import Asks, Open
from wire import get

UA = "[headers]\nset = * User-Agent: corp-browser/1.0 (X11)\n"


class Fields(Scenario):
    def arrives(self, proxy):
        """The last request's fields but those that frame it, as a list of lines."""
        skip = ("host", "via", "connection", "proxy-connection", "content-length")
        return ["%s: %s" % field for field in proxy.requests[-1].fields if field[0].lower() not in skip]

    def test_set_add_remove(self):
        proxy, agent = self.both(Open(), more="[headers]\nset = * User-Agent: ours\nset = .other.example User-Agent: never\n"
                                 "add = * X-Site: north\nadd = .example Accept-Language: de\nremove = * Referer\nremove = b.example X-Gone\n")
        for host, sent, got in (
            ("a.example", ["User-Agent: theirs", "user-agent: again", "Accept-Language: en", "Referer: http://x/", "X-Gone: 1"],
             ["Accept-Language: en", "X-Gone: 1", "User-Agent: ours", "X-Site: north", "Accept-Language: de"]),
            ("b.example", ["X-Gone: 1", "x-gone: 2"], ["User-Agent: ours", "X-Site: north", "Accept-Language: de"]),
            ("b.test", [], ["User-Agent: ours", "X-Site: north"]),
        ):
            with self.subTest(host):
                self.assertEqual(self.ask(agent, "/echo", *sent, host=host).status, 200)
                self.assertEqual(self.arrives(proxy), got)

    def test_by_upstream(self):
        one, two = self.proxy(Open()), self.proxy(Open())
        agent = self.agent(one.upstream() + two.upstream(name="lab") + "[route]\nrule = .lab.example lab\n[headers]\nset = upstream:lab X-Way: lab\n")
        self.ask(agent)
        self.ask(agent, host="a.lab.example")
        self.assertEqual(self.arrives(one), [])
        self.assertEqual(self.arrives(two), ["X-Way: lab"])

    def test_by_the_upstream_that_answers(self):
        """Each proxy in turn; and without one, only what is for the destination."""
        two = self.proxy(Open())
        agent = self.agent("[upstream corp]\nproxy = http://127.0.0.1:1 %s\nauth = none\n[route]\nno-proxy = 127.0.0.1\n"
                           "[headers]\nset = upstream:corp X-Way: corp\nset = 127.0.0.1 X-Direct: yes\n" % two.url)
        self.ask(agent)
        self.assertEqual(self.arrives(two), ["X-Way: corp"])
        origin = self.proxy(Open())
        self.ask(agent, host="127.0.0.1:%d" % origin.port)
        self.assertEqual(self.arrives(origin), ["X-Direct: yes"])

    def test_connect(self):
        proxy, agent = self.both(Open(), more=UA + "add = site.example:443 X-Tunnel: 1\n")
        self.echoes(self.tunnel(agent))
        self.assertEqual(self.arrives(proxy), ["User-Agent: corp-browser/1.0 (X11)", "X-Tunnel: 1"])
        client = self.wire(agent)
        client.send(get("site.example:22", "User-Agent: theirs", method="CONNECT"))
        self.assertEqual(client.read_response("CONNECT").status, 200)
        self.assertEqual(self.arrives(proxy), ["User-Agent: corp-browser/1.0 (X11)"])

    def test_every_leg_of_a_handshake(self):
        """Proxies that go by the program's name see it in the knock too, which has no fields of the client's."""
        proxy, agent = self.both(Asks(Ntlm()), corp("ntlm"), UA)
        self.assertEqual(self.ask(agent, "/echo", method="POST", body=b"x" * 200000).status, 200)
        self.tunnel(agent)
        mine = [r for r in proxy.requests if "exeat.invalid" not in r.target]
        self.assertGreater(len(mine), 3)
        for request in mine:
            self.assertEqual(request.all("User-Agent"), ["corp-browser/1.0 (X11)"], request.raw_head)

    def test_connection_of_a_client_takes_nothing_away(self):
        proxy, agent = self.both(Open(), more="[headers]\nset = * X-Site: north\n")
        self.ask(agent, "/echo", "Connection: X-Site, keep-alive", "X-Site: south")
        self.assertEqual(self.arrives(proxy), ["X-Site: north"])

    def test_body_and_upgrade_stay(self):
        proxy, agent = self.both(Open(), more=UA + "add = * X-A: b\nremove = * Accept\n")
        answer = self.ask(agent, "/echo", "Transfer-Encoding: chunked", method="POST", body=wire.chunked(b"abc", b"defg"))
        self.assertEqual((answer.status, json.loads(answer.body)["length"]), (200, 7))
        client = self.wire(agent)
        client.send(get("http://site.example/upgrade", "Connection: Upgrade", "Upgrade: echo"))
        self.assertEqual(client.read_response().status, 101)
        self.echoes(client)
        self.assertEqual(proxy.requests[-1].all("X-A"), ["b"])

    def test_reload(self):
        proxy, agent = self.both(Open(), more=UA)
        with wire.Wire.connect(agent.port) as client:
            self.assertEqual(client.ask(get("http://site.example/echo")).status, 200)
            self.assertEqual(self.arrives(proxy), ["User-Agent: corp-browser/1.0 (X11)"])
            agent.configure(proxy.upstream() + "[headers]\nset = * X-New: 1\n")
            agent.reload()
            self.assertEqual(client.ask(get("http://site.example/echo")).status, 200)
            self.assertEqual(self.arrives(proxy), ["X-New: 1"])

    def test_a_line_that_is_wrong_changes_nothing(self):
        proxy, agent = self.both(Open(), more=UA)
        for line in ("set = * Content-Length: 3", "set = * Proxy-Authorization: Basic eDp5", "remove = * Host", "set = 10.0.0.0/99 X: y"):
            with self.subTest(line):
                agent.configure(proxy.upstream() + "[headers]\n%s\n" % line)
                answer = agent.exeat("reload")
                self.assertEqual(answer.returncode, 3, answer)
                self.assertRegex(answer.stderr, "cannot be changed|cannot read")
                self.assertEqual(agent.exeat("check", "--config", agent.config_path).returncode, 3)
        self.ask(agent)
        self.assertEqual(self.arrives(proxy), ["User-Agent: corp-browser/1.0 (X11)"])
