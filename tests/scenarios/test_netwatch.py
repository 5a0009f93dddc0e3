"""The network under the agent becomes another one: old connections go at once, and nothing wakes it when nothing happens."""

import os
import sys
import unittest

import network
from agent import wait_until
from base import SITE, Later, Scenario, corp
from behaviours import Slow
from gates import Ntlm
from proxy import Asks, Open, never, wait_closed
from runner import TESTS
from wire import Wire, get

CHANGED = "the network has changed"


def wakes(pid):
    """How often its main thread has gone to sleep and come back."""
    with open("/proc/%d/status" % pid) as status:
        return int(status.read().rpartition("\nvoluntary_ctxt_switches:")[2].split()[0])


@unittest.skipUnless(os.geteuid() == 0, "only root makes networks")
class AnotherNetwork(Scenario):
    def setUp(self):
        network_of_ours = network.private()
        network_of_ours.__enter__()
        self.addCleanup(network_of_ours.__exit__, None, None, None)

    def changes(self, agent):
        return agent.log().count(CHANGED)

    def idle_one_goes(self, how):
        gate = Ntlm()
        proxy, agent = self.both(Asks(gate), corp("ntlm"))
        self.assertEqual(self.ask(agent).status, 200)
        network.ip(*how.split())
        wait_closed(proxy.connections[0])
        agent.wait_log(CHANGED)
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual((len(proxy.connections), gate.failed), (2, 0))

    def test_an_address_comes(self):
        self.idle_one_goes("address add 192.0.2.1/24 dev lo")

    def test_an_address_goes(self):
        network.ip("address", "add", "192.0.2.1/24", "dev", "lo")
        self.idle_one_goes("address del 192.0.2.1/24 dev lo")

    def test_a_link_goes_down(self):
        network.ip("link", "add", "one", "type", "veth", "peer", "name", "two")
        network.ip("link", "set", "one", "up")
        network.ip("link", "set", "two", "up")
        network.ip("-6", "address", "flush", "dev", "one")
        network.ip("-6", "address", "flush", "dev", "two")
        self.idle_one_goes("link set one down")

    def test_a_route_comes(self):
        self.idle_one_goes("route add unreachable 198.51.100.0/24")

    def test_busy_ones_stay(self):
        behaviour = Slow()
        proxy, agent = self.both(behaviour)
        asked = Later(self.ask, agent, "/bytes/5")
        proxy.wait_requests(1)
        network.ip("address", "add", "192.0.2.1/24", "dev", "lo")
        agent.wait_log(CHANGED)
        behaviour.release.set()
        self.assertEqual(asked.result().status, 200)
        self.assertEqual(self.ask(agent, "/bytes/5").status, 200)
        self.assertEqual(len(proxy.connections), 1)

    def test_spares_go(self):
        proxy, agent = self.both(Asks(Ntlm()), corp("ntlm"), "[log]\nlevel = debug\n")
        self.tunnel(agent)
        spare = wait_until(lambda: agent.status()["upstreams"][0]["proxies"][0]["spare"] and proxy.connections[-1], "a spare")
        network.ip("address", "add", "192.0.2.1/24", "dev", "lo")
        wait_closed(spare)
        self.assertNotIn("nobody needed", agent.log())

    def test_a_proxy_that_sleeps_wakes(self):
        agent = self.agent("[upstream corp]\nproxy = http://127.0.0.1:1 %s\nauth = none\n" % self.proxy(Open()).url)
        self.assertEqual(self.ask(agent).status, 200)

        def state():
            return agent.status()["upstreams"][0]["proxies"][0]["state"]

        self.assertEqual(state(), "cannot be reached")
        network.ip("address", "add", "192.0.2.1/24", "dev", "lo")
        agent.wait_log(CHANGED)
        self.assertEqual(state(), "not used yet")

    def test_tunnels_stay(self):
        _, agent = self.both(Open())
        tunnel = self.tunnel(agent)
        network.ip("address", "add", "192.0.2.1/24", "dev", "lo")
        agent.wait_log(CHANGED)
        self.echoes(tunnel)

    def test_chatter_is_none(self):
        network.ip("link", "add", "one", "type", "veth", "peer", "name", "two")
        proxy, agent = self.both(Open())
        self.assertEqual(self.ask(agent).status, 200)
        for i in range(20):
            network.ip("link", "set", "one", "mtu", str(1400 + i))
            network.ip("neighbour", "replace", "192.0.2.%d" % (i + 1), "lladdr", "02:00:00:00:00:01", "dev", "one")
        self.assertTrue(never(1, lambda: self.changes(agent) or proxy.connections[0].ended_by_peer.is_set()))
        self.assertEqual(self.ask(agent).status, 200)
        self.assertEqual(len(proxy.connections), 1)

    def test_nothing_wakes_it_when_nothing_happens(self):
        proxy, agent = self.both(Open())
        self.assertEqual(self.ask(agent).status, 200)
        wait_until(lambda: agent.status()["clients"] == 0, "the end of the client")
        quiet = wait_until(lambda: self.asleep(agent), "a moment of rest")
        self.assertTrue(never(2, lambda: wakes(agent.pid) != quiet))

    def asleep(self, agent):
        """What it has counted up to now, if that is still so a moment later: the last question is over."""
        before = wakes(agent.pid)
        return before if never(0.1, lambda: wakes(agent.pid) != before) else None

    def test_the_keyholder_is_told(self):
        _, agent = self.both(Asks(Ntlm()), corp("ntlm"), "[log]\nlevel = debug\n")
        self.assertEqual(self.ask(agent).status, 200)
        network.ip("address", "add", "192.0.2.1/24", "dev", "lo")
        agent.wait_log("exeat-keys debug: .*another network")


class NoNetlink(Scenario):
    def test_lives_on_where_it_may_not_ask(self):
        """As under a service manager that forbids this kind of socket."""
        wrap = (sys.executable, os.path.join(TESTS, "lib", "without_netlink.py"))
        agent = self.agent("[listen]\nhttp = unix:@DIR@/front\n" + self.proxy(Open()).upstream(), wrap=wrap)
        self.assertEqual(agent.log().count("changes of the network are not seen"), 1)
        with Wire.connect_unix(os.path.join(agent.directory, "front")) as client:
            self.assertEqual(client.ask(get(SITE + "/bytes/5")).status, 200)
