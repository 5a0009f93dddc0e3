"""A real agent, a real tray, and a desktop that is played."""

import os
import signal
import subprocess

import agent as lib
from agent import wait_until
from base import Scenario
from panel import Desktop

PINENTRY = """#!/usr/bin/python3
import os, sys, time
print("(pinentry:1): Gtk-WARNING **: no such theme", file=sys.stderr)
print("OK Pleased to meet you", flush=True)
for line in sys.stdin:
    with open(os.environ["PLAYED"] + "/pinentry.log", "a") as log:
        log.write(line)
    word = line.split()[0]
    if word == "GETPIN":
        answer = open(os.environ["PLAYED"] + "/answer").read().rstrip("\\n")
        while answer == "WAIT":
            time.sleep(0.01)
            answer = open(os.environ["PLAYED"] + "/answer").read().rstrip("\\n")
        if answer == "CANCEL":
            print("ERR 83886179 Operation cancelled <Pinentry>", flush=True)
            continue
        print("D " + answer.replace("%", "%25"), flush=True)
    if word == "CONFIRM" and open(os.environ["PLAYED"] + "/answer").read().strip() != "yes":
        print("ERR 83886194 Not confirmed <Pinentry>", flush=True)
        continue
    print("OK", flush=True)
    if word == "BYE":
        break
"""
TERMINAL = """#!/bin/sh
printf '%s\\n' "$@" > "$PLAYED/terminal.new"
mv "$PLAYED/terminal.new" "$PLAYED/terminal.log"
"""


class Tray(Scenario):
    log_text = ""
    expected = 0  # the tray's exit status
    program = None

    def desktop(self, **options):
        self.desktop_ = self.stack.enter_context(Desktop(**options))
        return self.desktop_

    def played(self, agent):
        """A folder in front of PATH with a terminal and a pinentry that only note what they are told."""
        folder = os.path.join(agent.directory, "played")
        os.makedirs(folder, exist_ok=True)
        for name, text in (("gnome-session", TERMINAL), ("plasmashell", TERMINAL), ("x-terminal-emulator", TERMINAL), ("xdg-terminal-exec", TERMINAL), ("pinentry", PINENTRY)):
            path = os.path.join(folder, name)
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, 0o700)
        return folder

    def answers(self, text):
        """In one step: a pinentry that waits for it reads it again and again."""
        path = os.path.join(self.folder, "answer")
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def note(self, name):
        """What a played program was told, once it was."""
        path = os.path.join(self.folder, name + ".log")
        wait_until(lambda: os.path.exists(path), "a note of " + name)
        with open(path) as file:
            return file.read()

    def tray(self, agent, *words, **env):
        """A tray on the desktop, with the agent's environment."""
        desktop = self.desktop_
        self.folder = self.played(agent)
        environment = dict(agent.env, **desktop.env, PLAYED=self.folder, EXEAT_PINENTRY=self.folder + "/pinentry",
                           XDG_CURRENT_DESKTOP="XFCE", GSETTINGS_BACKEND="keyfile", TZ="UTC")
        environment["PATH"] = self.folder + ":" + environment["PATH"]
        environment.update(env)
        self.log_path = os.path.join(agent.directory, "tray-log")
        self.process = subprocess.Popen([self.program or os.path.join(lib.build_directory(), "exeat-tray"), *words], env=environment, cwd=agent.directory,
                                        stdin=subprocess.DEVNULL, stdout=open(self.log_path, "ab"), stderr=subprocess.STDOUT)
        self.stack.callback(self.end_tray, self.process)
        return self.process

    def said(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def _callTestMethod(self, method):
        try:
            super()._callTestMethod(method)
        except BaseException as error:
            if hasattr(error, "add_note") and hasattr(self, "log_path") and self.log_text:
                error.add_note("the tray said:\n" + self.log_text)
            raise

    def end_tray(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(lib.PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        text = self.log_text = self.said()
        if status != self.expected or "Sanitizer" in text or "CRITICAL" in text or "runtime error" in text:
            raise AssertionError("the tray ended with %d; it said:\n%s" % (status, text))

    def prompt_over(self):
        """Waits until the verb that asks has ended: the tray opens no second question meanwhile."""
        wait_until(lambda: not any(parent == self.process.pid for _pid, parent, _name in lib.processes()), "the end of the question")

    def shows(self, icon):
        wait_until(lambda: self.desktop_.registered and self.desktop_.icon() == "exeat-%s-symbolic" % icon, "the icon " + icon)
