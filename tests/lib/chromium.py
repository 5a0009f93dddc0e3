"""One Chromium without a window, told what to do by the DevTools protocol through a pipe: no port, so nobody else can speak to it.

    with Chromium(directory) as browser:
        with browser.profile("http://127.0.0.1:3128", ("alice", "secret")) as profile:
            profile.load("http://site.example/")      # -> (status, text), or (0, "net::ERR_...")

A profile has a proxy, connections and a memory of passwords of its own. Answering the question for a proxy's password is what a person does at the window;
Negotiate asks nobody. Debian's package chromium is not among those that tests/deps installs, for its size: who has it runs these tests."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import time

PATIENCE = 2 * float(os.environ.get("EXEAT_TEST_PATIENCE", "30"))  # seconds until a wait counts as failed

_OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions", "--disable-default-apps", "--disable-crash-reporter",
            "--disable-features=OptimizationHints,MediaRouter,Translate,HttpsUpgrades,HttpsFirstBalancedMode", "--no-proxy-server", "--remote-debugging-pipe"]

# Its process for the network lives in a sandbox without GSSAPI until it has met Negotiate once; from its next start on, it does not.
_STATE = {"net": {"received_http_auth_negotiate_headers": True}}


def program():
    """Where it is; None: it is not installed."""
    return shutil.which("chromium") or shutil.which("google-chrome")


class Chromium:
    """options: more of the command line's. trusted: pins (tls.Certificate.pin) of keys whose certificates, and what they issued, are believed."""

    def __init__(self, directory, *options, trusted=(), env=None):
        self.numbers, self.answers, self.events = 0, {}, []
        os.makedirs(os.path.join(directory, "chromium"))
        with open(os.path.join(directory, "chromium", "Local State"), "w") as state:
            json.dump(_STATE, state)
        command = [program(), *_OPTIONS, "--user-data-dir=" + os.path.join(directory, "chromium"), *options]
        if trusted:
            command.append("--ignore-certificate-errors-spki-list=" + ",".join(trusted))
        environment = {"PATH": os.environ["PATH"], "HOME": directory, "LANG": "C.UTF-8", **(env or {})}
        theirs, self.out = os.pipe()
        self.come, ours = os.pipe()
        self.left = b""
        with open(os.path.join(directory, "chromium.log"), "wb") as log:
            # It reads descriptor 3 and writes to 4, whatever numbers they have here.
            self.process = subprocess.Popen(["bash", "-c", 'exec 3<&%d 4>&%d "$@"' % (theirs, ours), "bash", *command], env=environment, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, pass_fds=(theirs, ours), start_new_session=True)
        os.close(theirs)
        os.close(ours)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError, AssertionError):
            self.say("Browser.close")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, 9)
        self.process.wait()
        os.close(self.out)
        os.close(self.come)

    # --- the protocol

    def send(self, method, session=None, **parameters):
        self.numbers += 1
        message = {"id": self.numbers, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        return self.numbers

    def read(self, end):
        """One more message, put where it belongs."""
        while b"\0" not in self.left:
            if not select.select([self.come], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError("Chromium says nothing any more")
            data = os.read(self.come, 1 << 20)
            if not data:
                raise AssertionError("Chromium has ended")
            self.left += data
        text, self.left = self.left.split(b"\0", 1)
        message = json.loads(text)
        if "id" in message:
            self.answers[message["id"]] = message
        else:
            self.events.append(message)

    def say(self, method, session=None, **parameters):
        """A command and its answer."""
        number, end = self.send(method, session, **parameters), time.monotonic() + PATIENCE
        while number not in self.answers:
            self.read(end)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise AssertionError("Chromium, %s: %s" % (method, answer["error"]))
        return answer["result"]

    @contextlib.contextmanager
    def profile(self, proxy, login=None, bypass=""):
        """login: name and password for the proxy, shown once; who is asked again gives up."""
        context = self.say("Target.createBrowserContext", proxyServer=proxy, proxyBypassList=bypass)["browserContextId"]
        try:
            yield Profile(self, context, login)
        finally:
            self.say("Target.disposeBrowserContext", browserContextId=context)


class Profile:
    def __init__(self, browser, context, login):
        self.browser, self.login = browser, login
        self.asked = []  # "Basic", "Digest", ...: by which schemes it has asked for the proxy's password
        target = browser.say("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self.session = browser.say("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for method, parameters in (("Page.enable", {}), ("Network.enable", {}), ("Fetch.enable", {"handleAuthRequests": True})):
            browser.say(method, self.session, **parameters)

    def load(self, url):
        """Status and text of the page at that address; status 0: the text is Chromium's error."""
        browser, shown, status, loader = self.browser, set(), 0, None
        number, end = browser.send("Page.navigate", self.session, url=url), time.monotonic() + PATIENCE
        while True:
            if number in browser.answers:
                answer = browser.answers.pop(number)["result"]
                if "errorText" in answer:
                    return 0, answer["errorText"]
                loader = answer["loaderId"]
            while browser.events:
                event = browser.events.pop(0)
                kind, what = event["method"], event["params"]
                if event.get("sessionId") != self.session:
                    continue
                if kind == "Fetch.requestPaused":
                    browser.send("Fetch.continueRequest", self.session, requestId=what["requestId"])
                elif kind == "Fetch.authRequired":
                    self.answer(what, shown)
                elif kind == "Network.responseReceived" and what["type"] == "Document":
                    status = what["response"]["status"]
                elif kind == "Page.loadEventFired" and loader:
                    text = browser.say("Runtime.evaluate", self.session, expression="document.documentElement.innerText")
                    return status, text["result"]["value"]
            browser.read(end)

    def answer(self, what, shown):
        challenge, url = what["authChallenge"], what["request"]["url"]
        self.asked.append(challenge["scheme"].lower())
        response = {"response": "CancelAuth"}
        if self.login and url not in shown:
            shown.add(url)
            response = {"response": "ProvideCredentials", "username": self.login[0], "password": self.login[1]}
        self.browser.send("Fetch.continueWithAuth", self.session, requestId=what["requestId"], authChallengeResponse=response)
