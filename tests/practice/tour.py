#!/usr/bin/python3
"""`make run`: a practice Squid that demands a password, exeat in front of it, real programs through both, and what happened at each leg.

Stays in the foreground until Ctrl-C or SIGTERM; without a terminal on standard input, or with PRACTICE_ONCE=1, it ends after the tour. The
exit status is 0 when everything went as it should. All that it makes is in one private directory, which it removes."""

import os
import re
import shutil
import signal
import sys
import time

import origin
import place

BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
PAGE = "http://www.practice.example/"


def say(text=""):
    print(text, flush=True)


def headline(text):
    say("\n%s%s%s" % (BOLD, text, PLAIN))


def show(lines):
    for line in lines:
        say("      " + line)


class Step:
    """One command of the tour: what it prints, what the agent and the proxy wrote about it meanwhile."""

    def __init__(self, ground, *command, proxy, shown=None):
        log, seen = len(ground.agent_log()), len(ground.squid_log())
        say("    $ " + (shown or " ".join(command)))
        self.status, self.output = ground.run(*command, proxy=proxy)
        self.answer = self.output.strip().splitlines()[-1:] or [""]
        self.proxy_saw = ground.squid_log_after(seen) if proxy else []
        for _ in range(200):  # its line about a request comes when the program's name was looked up
            if not proxy or " ms (" in ground.agent_log()[log:]:
                break
            time.sleep(0.01)
        self.agent_said = [line for line in ground.agent_log()[log:].splitlines() if line.strip()]

    def show_proxy(self):
        counts = {}
        for line in self.proxy_saw:
            status, user, method, _target = (line.split(" ", 3) + ["", "", ""])[:4]
            key = "%s %s%s" % (method, status, "" if user == "-" else " as " + user)
            counts[key] = counts.get(key, 0) + 1
        show(["the proxy answered: " + ", ".join(key + (" (%d times)" % n if n > 1 else "") for key, n in counts.items())])

    def legs(self):
        """The agent's lines about one request, in order."""
        return [line for line in self.agent_said if re.search(r"\[c\d+\.r\d+", line)]


class Tour:
    def __init__(self, ground):
        self.ground = ground
        self.wrong = []

    def expect(self, truth, sentence):
        if not truth:
            self.wrong.append(sentence)
            say("      NOT AS IT SHOULD BE: " + sentence)

    def curl(self, proxy, *words, url=PAGE):
        return Step(self.ground, "curl", "-sS", "-w", "(status %{http_code})", *words, url, proxy=proxy,
                    shown=" ".join(["curl", *words, url]))

    def bare(self):
        headline("1. Straight to the proxy, without a password")
        step = self.curl("http://127.0.0.1:%d" % self.ground.squid, "-o", os.devnull)
        show(step.answer)
        self.expect("407" in step.answer[0], "the proxy should refuse this with 407")

    def first(self):
        headline("2. The same through exeat")
        step = self.curl(self.ground.proxy)
        show(step.output.splitlines())
        self.expect("status 200" in step.output and origin.PAGE.decode().strip() in step.output, "the page should have come")
        say("    What happened, leg by leg (exeat's log):")
        show(step.legs())
        step.show_proxy()
        self.expect(any(line.startswith("200 " + place.USER) for line in step.proxy_saw), "the proxy should have let practice in")

    def again(self):
        headline("3. Once more: exeat knows the proxy by now, so there is no 407")
        step = self.curl(self.ground.proxy)
        show(step.output.splitlines())
        show(step.legs())
        step.show_proxy()
        self.expect("status 200" in step.output, "the page should have come")
        self.expect(not any(line.startswith("407") for line in step.proxy_saw), "there should be no 407 in the steady state")

    def tunnel(self):
        headline("4. A tunnel (CONNECT), as https uses it")
        url = "http://www.practice.example:%d/" % self.ground.origin
        step = self.curl(self.ground.proxy, "--proxytunnel", url=url)
        show(step.output.splitlines())
        step.show_proxy()
        self.expect("status 200" in step.output, "the tunnel should have opened")

    def programs(self):
        headline("5. Programs that know nothing of passwords")
        step = Step(self.ground, "git", "clone", "http://git.practice.example/garden.git", proxy=self.ground.proxy)
        show(step.output.strip().splitlines())
        step.show_proxy()
        self.expect(os.path.exists(os.path.join(self.ground.home, "garden", "README")), "git clone should have worked")
        if not shutil.which("npm"):
            show(["(npm is not installed here)"])
            return
        step = Step(self.ground, "npm", "install", "--registry", "http://npm.practice.example/", "--no-audit", "--no-fund",
                    "--no-update-notifier", origin.PACKAGE, proxy=self.ground.proxy, shown="npm install " + origin.PACKAGE)
        show([line for line in step.output.splitlines() if line.strip()])
        step.show_proxy()
        self.expect(os.path.exists(os.path.join(self.ground.home, "node_modules", origin.PACKAGE, "index.js")), "npm install should have worked")

    def status(self):
        headline("6. What exeat says about itself")
        step = Step(self.ground, place.EXEAT, "status", proxy=None, shown="exeat status")
        show(step.output.splitlines())
        self.expect(step.status == 0, "exeat status should end with 0")

    def run(self):
        for part in (self.bare, self.first, self.again, self.tunnel, self.programs, self.status):
            part()
        return not self.wrong


def point_a_shell(ground):
    headline("Your turn")
    say("    In another shell:")
    for name in ("http_proxy", "https_proxy"):
        say("      export %s=%s" % (name, ground.proxy))
    say("      curl %s" % PAGE)
    say("    exeat's own answers:")
    program = os.path.relpath(place.EXEAT)
    say("      XDG_RUNTIME_DIR=%s %s status" % (ground.runtime, place.EXEAT if program.startswith("..") else program))
    say("    The practice proxy goes out to the Internet too, where there is one.")


def follow(ground):
    """Shows the agent's log, but for its details, until it ends or somebody stops us."""
    seen = len(ground.agent_log())
    while ground.agent.poll() is None:
        text = ground.agent_log()[seen:]
        lines, newline, _rest = text.rpartition("\n")
        if newline:
            seen += len(lines) + 1
            show(line for line in lines.split("\n") if " debug: " not in line)
        time.sleep(0.3)
    say("exeat has ended by itself, with status %d." % ground.agent.returncode)
    return 1


def stop(_number, _frame):
    raise KeyboardInterrupt


def main():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    once = os.environ.get("PRACTICE_ONCE") == "1" or not sys.stdin.isatty()
    try:
        with place.Place() as ground:
            say("Practice: everything is in %s, on 127.0.0.1 only, and goes away at the end." % ground.directory)
            ground.origin = origin.start(ground.path("origin"))
            ground.start_squid(ground.origin)
            ground.start_exeat()
            say("Squid on port %d demands a password (Digest, user %s)." % (ground.squid, place.USER))
            say("exeat on %s has it from a file that only this user can read." % ground.proxy)
            went_well = Tour(ground).run()
            if once:
                return 0 if went_well else 1
            point_a_shell(ground)
            say("\n%sCtrl-C stops it all.%s exeat's log goes on here:" % (BOLD, PLAIN))
            return follow(ground)
    except place.PracticeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
        return 0


if __name__ == "__main__":
    sys.exit(main())
