"""How an agent comes and goes, as the tray sees it: played, so that each moment can be met."""

import os
import shutil

import agent as lib
from agent import wait_until
from fake import FakeAgent
from place import Tray

EXEAT = """#!/bin/sh
echo "$1" >> "$PLAYED/exeat.log"
[ "$1" = run ] && exec sleep 60
"""


class Agent(Tray):
    def fake(self, *words, **options):
        self.desktop()
        self.place_ = self.agent("[upstream corp]\nproxy = http://127.0.0.1:9\n", env=dict(self.desktop_.env), start=False)
        fake = FakeAgent(self.place_, *words, **options)
        self.stack.callback(fake.go)
        return fake

    def watched(self):
        """Systemd is asked to start it, and only notes that."""
        self.desktop_.play_systemd(lambda _unit: None)

    def test_stopped_between_two_questions(self):
        fake = self.fake()
        self.watched()
        fake.after_status = fake.go
        self.tray(self.place_)
        wait_until(lambda: self.desktop_.registered and "exeat is stopped" in self.desktop_.tooltip(), "the sentence")
        self.assertEqual(self.desktop_.units, [])

    def test_killed_between_two_questions(self):
        fake = self.fake()
        self.watched()
        fake.after_status = lambda: fake.go(in_order=False)
        self.tray(self.place_)
        wait_until(lambda: self.desktop_.units, "another one to be started")

    def test_stopped_while_the_tray_waits(self):
        fake = self.fake()
        self.watched()
        self.tray(self.place_)
        self.shows("on")
        fake.go()
        wait_until(lambda: "exeat is stopped" in self.desktop_.tooltip(), "the sentence")
        fake.listen()
        self.shows("on")
        self.assertEqual(self.desktop_.units, [])

    def test_no_place_for_one_that_waits(self):
        """An agent that lets nobody wait for changes is asked now and then; it has not gone."""
        fake = self.fake()
        fake.declines = True
        self.watched()
        self.tray(self.place_)
        self.shows("on")
        wait_until(lambda: fake.asked.count("status") > 1, "the second look")
        self.desktop_.open_menu()
        wait_until(lambda: fake.asked.count("status") > 2, "the look of a person")
        self.shows("on")
        self.assertEqual(fake.asked.count("state"), 1)
        self.assertEqual((self.desktop_.units, self.desktop_.notifications), ([], []))

    def test_one_start_at_a_time(self):
        """One that takes long to come up is not started again meanwhile."""
        fake = self.fake()
        fake.silent = True
        folder = os.path.join(self.place_.directory, "programs")
        os.mkdir(folder)
        shutil.copy(os.path.join(lib.build_directory(), "exeat-tray"), folder)
        shutil.copytree(os.path.join(lib.build_directory(), "icons"), os.path.join(folder, "icons"))
        with open(os.path.join(folder, "exeat"), "w") as file:
            file.write(EXEAT)
        os.chmod(os.path.join(folder, "exeat"), 0o700)
        self.program = os.path.join(folder, "exeat-tray")
        self.stack.callback(self.end_children)  # when the tray has ended, which could start another one
        self.tray(self.place_)
        wait_until(lambda: fake.came >= 4, "some looks")
        wait_until(lambda: "run" in self.note("exeat"), "the start, which may take longer than the looks")
        self.assertEqual(self.note("exeat").split().count("run"), 1)

    def end_children(self):
        for pid, _parent, name in list(lib.processes()):
            if name in ("sleep", "exeat") and self.is_ours(pid):  # "exeat": it is about to become the other
                os.kill(pid, 9)

    def is_ours(self, pid):
        try:
            with open("/proc/%d/environ" % pid, "rb") as file:
                return ("PLAYED=" + self.folder).encode() in file.read().split(b"\0")
        except OSError:
            return False


class Panel(Tray):
    def place(self, **options):
        self.desktop(**options)
        self.place_ = self.agent("[upstream corp]\nproxy = http://127.0.0.1:9\n", env=dict(self.desktop_.env), start=False)
        fake = FakeAgent(self.place_)
        self.stack.callback(fake.go)
        self.tray(self.place_)
        return fake

    def test_panel_started_again(self):
        self.place()
        self.shows("on")
        before = len(self.desktop_.registered)
        self.desktop_.leave("org.kde.StatusNotifierWatcher")
        self.desktop_.open_panel()
        wait_until(lambda: len(self.desktop_.registered) == before + 1, "the icon to come again")
        self.shows("on")

    def test_bus_that_goes(self):
        """It ends by itself, and in a way that lets systemd start it again."""
        self.place()
        self.shows("on")
        self.desktop_.end_bus()
        self.assertEqual(self.process.wait(lib.PATIENCE), 1)
        self.assertIn("the session bus has gone", self.said())
        self.expected = 1
