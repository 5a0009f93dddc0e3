"""Desktops whose notifications can do less, go away, or are not there at all."""

from agent import wait_until
from base import corp
from fake import FakeAgent
from gates import Basic
from panel import ITEM
from place import Tray
from proxy import Asks
from gi.repository import GLib

SECRET = "s3cret"
NEEDED = {"problem": True, "login_helps": True, "state": "password <refused> by a & b", "remedy": "Log in again."}


class Notify(Tray):
    def place(self, upstream=None, capabilities=None, **options):
        self.desktop(**options)
        if capabilities is not None:
            self.desktop_.capabilities = capabilities
        self.place_ = self.agent("[upstream corp]\nproxy = http://127.0.0.1:9\n", env=dict(self.desktop_.env), start=False)
        fake = FakeAgent(self.place_, upstream)
        self.stack.callback(fake.go)
        self.tray(self.place_)
        return fake

    def click_icon(self):
        self.desktop_.call(self.desktop_.item(), "/StatusNotifierItem", ITEM, "Activate", GLib.Variant("(ii)", (0, 0)))

    def test_without_buttons_it_says_what_to_do(self):
        """Nor does a server that knows no markup get any."""
        self.place(NEEDED, capabilities=["body"])
        _number, _replaced, _title, text, actions = self.desktop_.wait_notified("corp needs your password")
        self.assertEqual(actions, [])
        self.assertIn("password <refused> by a & b", text)
        self.assertIn("In the menu of the exeat icon: “Enter password for corp…”", text)
        self.assertIsNotNone(self.desktop_.row("Enter password for corp…"))

    def test_without_buttons_and_icon(self):
        self.place(NEEDED, capabilities=["body"], panel=False)
        self.assertIn("type: exeat login corp", self.desktop_.wait_notified("corp needs your password")[3])

    def test_with_buttons(self):
        self.place(NEEDED)
        _number, _replaced, _title, text, actions = self.desktop_.wait_notified("corp needs your password")
        self.assertEqual(actions, ["login", "Enter password"])
        self.assertIn("password &lt;refused&gt; by a &amp; b", text)
        self.assertNotIn("In the menu", text)

    def test_news_wait_for_a_server(self):
        """What was true when it comes is told then, and nothing else."""
        fake = self.place(NEEDED, notifies=False)
        self.shows("problem")
        fake.change({"mode": "direct"})
        self.shows("direct")
        fake.change({"mode": "proxy"})
        self.shows("problem")
        self.desktop_.open_notifications()
        self.desktop_.wait_notified("corp needs your password")
        fake.change(NEEDED, in_flight=3)
        wait_until(lambda: self.desktop_.row("3 requests"), "the change")
        self.assertEqual(self.desktop_.titles(), ["corp needs your password"])

    def test_another_server_has_other_numbers(self):
        """The number that the old one gave may be somebody else's notification by now. So is one that was closed."""
        self.place()
        self.shows("on")
        for replaced in (0, 1):
            self.click_icon()
            wait_until(lambda: len(self.desktop_.notifications) == replaced + 1, "the state")
            self.assertEqual(self.desktop_.notifications[-1][1], replaced)
        self.desktop_.leave("org.freedesktop.Notifications")
        self.desktop_.open_notifications()
        self.click_icon()
        wait_until(lambda: len(self.desktop_.notifications) == 3, "the state")
        self.assertEqual(self.desktop_.notifications[-1][1], 0)
        self.desktop_.bus.emit_signal(None, "/org/freedesktop/Notifications", "org.freedesktop.Notifications", "NotificationClosed",
                                      GLib.Variant("(uu)", (self.desktop_.notifications[-1][0], 2)))
        self.click_icon()
        wait_until(lambda: len(self.desktop_.notifications) == 4, "the state")
        self.assertEqual(self.desktop_.notifications[-1][1], 0)


class Answers(Tray):
    def place(self, **options):
        self.desktop(**options)
        self.gate = Basic(password=SECRET)
        _proxy, agent = self.both(Asks(self.gate), corp("basic", "alice", secret="prompt"), env=dict(self.desktop_.env))
        self.tray(agent)
        return agent

    def test_no_server(self):
        """What a verb answered is in menu and tooltip."""
        self.place(notifies=False)
        self.answers("wrong")
        self.desktop_.choose("Enter password for corp")
        row = wait_until(lambda: self.desktop_.row("exeat: that did not work: "), "the answer")
        self.assertIn("refused", row.label)
        self.assertIn("exeat: that did not work: ", self.desktop_.tooltip())
        self.assertIn("that did not work", self.said())
        self.answers(SECRET)
        self.desktop_.choose("Enter password for corp")
        wait_until(lambda: self.desktop_.row("accepted"), "the other answer")
        self.assertIsNone(self.desktop_.row("that did not work"))

    def test_answered_ones_go_away(self):
        self.place()
        told = self.desktop_.wait_notified("corp needs your password")
        self.answers(SECRET)
        self.desktop_.press(told, "login")
        self.desktop_.wait_notified("accepted")
        wait_until(lambda: told[0] in self.desktop_.closed, "the notification to be withdrawn")

    def test_one_question_at_a_time(self):
        self.place()
        self.answers("WAIT")
        self.desktop_.choose("Enter password for corp")
        wait_until(lambda: "GETPIN" in self.note("pinentry"), "the question")
        self.desktop_.choose("Enter password for corp")
        self.desktop_.wait_notified("Another question of exeat is open")
        self.answers("CANCEL")
        self.prompt_over()
        self.assertEqual(self.note("pinentry").count("GETPIN"), 1)
