"""What the scenarios share: a test with a stack of proxies and agents that is taken down in order, and a few questions."""

import contextlib
import os
import threading
import unittest

import agent as lib_agent
import wire
from proxy import Proxy
from wire import Wire, get

# What to allow where a proxy offers this: NTLM inside of SPNEGO is NTLM, and has to be named.
AUTH = {"basic": "basic", "digest": "digest", "ntlm": "ntlm", "negotiate": "negotiate ntlm"}
SITE = "http://site.example"


def corp(auth, user="CORP\\alice", secret="file:@DIR@/secret", more=""):
    """The lines of an [upstream] section behind its proxy."""
    return "auth = %s\n%ssecret = %s\n%s\n" % (auth, "user = %s\n" % user if user else "", secret, more)


class Scenario(unittest.TestCase):
    maxDiff = 4000

    def _callTestMethod(self, method):  # so that agents and proxies see how the test ended, and add what they know to its failure
        with contextlib.ExitStack() as self.stack:
            try:
                super()._callTestMethod(method)
            except PermissionError as error:
                if os.geteuid() == 0 or not str(error.filename).startswith("/proc/"):
                    raise
                self.skipTest("only root may look into a process that is not dumpable, as the agent is on purpose")

    def proxy(self, behaviour, **options):
        return self.stack.enter_context(Proxy(behaviour, **options))

    def agent(self, config, secret="secret", **options):
        """An agent; config: text, or a Proxy that asks for nothing."""
        files = dict(options.pop("files", {}), secret=secret + "\n")
        if isinstance(config, Proxy):
            config = config.upstream()
        return self.stack.enter_context(lib_agent.Agent(config, files=files, **options))

    def both(self, behaviour, lines="auth = none", more="", **options):
        """A scripted proxy and an agent in front of it. more: further sections."""
        proxy = self.proxy(behaviour)
        return proxy, self.agent(proxy.upstream(lines) + more, **options)

    def wire(self, agent):
        return self.stack.enter_context(Wire.connect(agent.port))

    def ask(self, agent, path="/echo", *fields, host="site.example", **options):
        """One request through the agent on a connection of its own."""
        method = options.get("method", "GET")
        return wire.once(agent.port, get("http://%s%s" % (host, path), *fields, **options), method)

    def tunnel(self, agent, target="site.example:443", expect=200, early=b""):
        """A tunnel through the agent, or with another status that answer."""
        connection = self.wire(agent)
        connection.send(get(target, method="CONNECT") + early)
        answer = connection.read_response("CONNECT")
        self.assertEqual(answer.status, expect, answer.text)
        return connection if expect == 200 else answer

    def echoes(self, tunnel, data=b"over there and back"):
        tunnel.send(data)
        self.assertEqual(tunnel.read(len(data)), data)

    def own(self, answer, status, error=None, *words):
        """An answer that the agent wrote itself: its status, what Proxy-Status calls it, words that its text must hold."""
        self.assertEqual(answer.status, status, answer.text)
        self.assertIsNotNone(answer.get("Proxy-Status"), "no Proxy-Status: not the agent's own answer? %r" % answer.raw_head)
        self.assertIsNone(answer.get("Proxy-Authenticate"))
        if error:
            self.assertRegex(answer.get("Proxy-Status"), r"error=\"?%s" % error)
        for word in words:
            self.assertRegex(answer.text, word)
        return answer


class Later:
    """work() in a thread of its own; result() waits for what it returns, or raises what it raised."""

    def __init__(self, work, *arguments):
        self.value = self.error = None
        self.thread = threading.Thread(target=self._run, args=(work, arguments), daemon=True)
        self.thread.start()

    def _run(self, work, arguments):
        try:
            self.value = work(*arguments)
        except BaseException as error:
            self.error = error

    def result(self):
        self.thread.join()
        if self.error:
            raise self.error
        return self.value


def together(count, work):
    """Runs work(i) in that many threads, which begin together; returns the results in order."""
    start = threading.Barrier(count)

    def one(i):
        start.wait()
        return work(i)

    return [later.result() for later in [Later(one, i) for i in range(count)]]
