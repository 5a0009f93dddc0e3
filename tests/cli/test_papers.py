"""Manual pages and completions: what they say of verbs, options and settings is what the program says; man, mandoc and the shells take them."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

import agent
import place

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAPERS = os.path.join(agent.build_directory(), "papers")
PAGES = ("exeat.1", "exeat.conf.5", "exeat-tray.1")
TRAY = os.path.join(agent.build_directory(), "exeat-tray")

CONFIG = """[upstream corp]
proxy = http://127.0.0.1:9
auth = none

[upstream lab]
proxy = http://127.0.0.1:10
auth = none
"""


def paper(name):
    return os.path.join(PAPERS, name)


def run(command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=place.PATIENCE, check=False, **options)


def rendered(name):
    """The page as a person reads it, with all white space as one blank: lines are broken anywhere."""
    shown = run(["man", "-E", "UTF-8", "-l", paper(name)], env=dict(os.environ, MANWIDTH="500", MAN_KEEP_FORMATTING="", LC_ALL="C.UTF-8"))
    assert shown.returncode == 0, shown.stderr
    return flat(re.sub(r".\x08", "", shown.stdout))


def flat(text):
    return re.sub(r"\s+", " ", text)


class Papers(place.Place):
    def says(self, *words):
        done = self.exeat(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def verbs(self):
        return re.findall(r"^  (\w+)  +\S", self.says("help").split("Verbs:")[1].split("Options:")[0], re.M)


@unittest.skipUnless(shutil.which("man"), "no man here")
class Pages(Papers):
    def test_man_has_nothing_to_say(self):
        for name in PAGES:
            done = run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", paper(name)], env=dict(os.environ, LC_ALL="C.UTF-8"))
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc here")
    def test_mandoc_neither(self):
        for name in PAGES:
            done = run(["mandoc", "-T", "lint", "-W", "warning", paper(name)])
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""), name)

    def test_verbs_options_and_exit_codes(self):
        page = rendered("exeat.1")
        for verb in self.verbs():
            with self.subTest(verb=verb):
                text = self.says("help", verb)
                usage, rest = text.split("\n", 1)
                said, options = rest.split("\nOptions:\n")
                arguments = re.sub(r" \[--\w[^]]*\]| \[OPTION\]\.\.\.", "", usage.replace("Usage: ", ""))
                self.assertRegex(page, re.escape("exeat " + verb) + r"( \[OPTION\]\.\.\.)?" + re.escape(arguments[len("exeat " + verb):]))
                self.assertIn(flat(said).strip(), page)
                for line in options.splitlines()[:-1]:  # the last one is --help
                    self.assertIn(flat(line).strip(), page)
        for line in self.says("help", "exit-codes").splitlines()[2:]:
            self.assertIn(flat(line).strip(), page)

    def test_settings(self):
        page = rendered("exeat.conf.5")
        section = None
        for line in self.says("run", "--print-config", "--config", self.write("exeat.conf", CONFIG)).splitlines():
            match = re.match(r"\[(\w+)", line)
            if match:
                section = match[1]
                self.assertRegex(page, r"\[%s( NAME)?\]" % section)
            elif line:
                key = re.match(r"(?:# )?([\w-]+)", line)[1]
                self.assertRegex(page, r" %s = " % key, section)
        sample = self.says("help", "configuration")
        for said in re.findall(r"^# (?:Values: )?(.*)\n(?:# .*\n)*#?[\w-]+ =", sample, re.M):
            self.assertIn(flat(said), page)

    def test_every_variable_that_the_sources_read(self):
        page, found = rendered("exeat.1").split(" ENVIRONMENT ")[1], set()
        for top in ("agent", "config"):
            for folder, _, names in os.walk(os.path.join(ROOT, top)):
                if os.path.basename(folder) == "apps":  # what other programs heed
                    continue
                for name in names:
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        text = file.read()
                    found |= set(re.findall(r"\b(?:getenv|directory_variable|in_home|value_of|unsetenv)\((?:variable, )?\"(\w+)\"", text))
        self.assertIn("XDG_STATE_HOME", found)
        self.assertIn("NOTIFY_SOCKET", found)
        for name in sorted(found):
            self.assertIn(name, page)


    def test_variables_of_the_tray(self):
        page, found = rendered("exeat-tray.1").split(" ENVIRONMENT ")[1], {"DBUS_SESSION_BUS_ADDRESS", "PATH"}
        for name in os.listdir(os.path.join(ROOT, "tray")):
            if name.endswith(".c"):
                with open(os.path.join(ROOT, "tray", name), encoding="utf-8") as file:
                    text = file.read()
                found |= set(re.findall(r"getenv\(\"(\w+)\"", text))
                found |= {"XDG_STATE_HOME"} if "g_get_user_state_dir" in text else set()
                found |= {"XDG_RUNTIME_DIR"} if "config_runtime_dir" in text else set()
        self.assertGreaterEqual(found, {"XDG_CURRENT_DESKTOP", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"})
        for name in sorted(found):
            self.assertIn(name, page)

    def test_menu_of_the_tray(self):
        """The page has a paragraph for each thing that can be chosen, in the words of the menu."""
        with open(os.path.join(ROOT, "tray", "model.h"), encoding="utf-8") as file:
            actions = set(re.findall(r"ACTION_\w+", file.read())) - {"ACTION_NONE", "ACTION_SEPARATOR"}
        with open(os.path.join(ROOT, "tray", "model.c"), encoding="utf-8") as file:
            labels = re.findall(r'"([A-Z][^"]*)"', file.read())
        page = run(["man", "-E", "UTF-8", "-l", paper("exeat-tray.1")], env=dict(os.environ, MANWIDTH="500", LC_ALL="C.UTF-8")).stdout
        shown = re.findall(r"(?m)^ {7}(\S.*?)(?: {2,}.*)?$", re.sub(r".\x08", "", page).split("\nMENU\n")[1].split("\nEXIT STATUS\n")[0])
        self.assertEqual(len(shown), len(actions), shown)
        for words in shown:
            pattern = re.escape(words).replace(r"\ ", ".* ")
            self.assertTrue(any(re.match(pattern, label) for label in labels), words)

    @unittest.skipUnless(os.path.exists(TRAY), "exeat-tray was not built")
    def test_options_of_the_tray(self):
        page, said = rendered("exeat-tray.1"), run([TRAY, "--help"])
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        about, options = said.stdout.split("\n", 1)[1].split("\nOptions:\n")
        self.assertIn(flat(about).strip(), page)
        self.assertEqual(len(options.splitlines()), 3)
        for line in options.splitlines():
            self.assertIn(flat(line).strip(), page)
        self.assertEqual(run([TRAY, "-h"]).stdout, said.stdout)
        for words in (["--nonsense"], ["--icons"], ["--icons", "blue"], ["word"]):
            done = run([TRAY, *words])
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn('"exeat-tray --help" says what there is', done.stderr)


class Completion(Papers):
    """Each shell is asked for what may stand at the end of a line."""

    def setUp(self):
        super().setUp()
        self.config = self.write("other.conf", CONFIG)
        self.configure(CONFIG.replace("lab", "den"))
        self.env.update(PATH=agent.build_directory() + ":" + self.env["PATH"], TERM="dumb")
        self.room = self.path("room")
        os.makedirs(os.path.join(self.room, "inner"))
        for name in ("room/one.conf", "room/two.pem"):
            self.write(name, "")

    def check_tray(self, ask):
        """`ask` of exeat-tray's own completion."""
        with self.subTest(program="exeat-tray"):
            self.assertEqual({word.rstrip("=") for word in ask("exeat-tray --")}, {"--icons", "--version", "--help"})
            self.assertEqual(ask("exeat-tray --icons "), {"symbolic", "light", "dark"})
            self.assertEqual(ask("exeat-tray --icons d"), {"dark"})

    def check(self, ask):
        verbs = self.verbs()
        programs = self.says("help", "apps").split("The names:")[1].split("Options:")[0].split()
        for line, wanted in (("exeat ", set(verbs)), ("exeat lo", {"login", "logout", "log"}), ("exeat --v", {"--version"}),
                             ("exeat login ", {"corp", "den"}), ("exeat login --config %s " % self.config, {"corp", "lab"}),
                             ("exeat logout -c %s l" % self.config, {"lab"}), ("exeat status --", {"--json", "--metrics", "--help"}),
                             ("exeat apps ", {"set", "unset"}), ("exeat apps set cu", {"curl"}), ("exeat apps set git wg", {"wget"}),
                             ("exeat apps --dry-run unset al", {"all"}), ("exeat env --shell ", {"sh", "bash", "zsh", "fish", "pwsh"}),
                             ("exeat help exit", {"exit-codes"}), ("exeat help xq", set()), ("exeat stop ", set()), ("exeat route ", set()),
                             ("exeat login --user ", set()), ("exeat nonsense ", set())):
            with self.subTest(line=line):
                offered = ask(line)
                if not wanted:  # zsh offers options where there is nothing else
                    offered = {word for word in offered if word[0] != "-"}
                self.assertEqual(offered, wanted)
        self.assertGreaterEqual(ask("exeat apps set "), {"all", *programs})
        for line in ("exeat run --config %s/o" % self.room, "exeat run -c %s/o" % self.room):
            with self.subTest(line=line):
                self.assertEqual(ask(line), {self.room + "/one.conf"})
        self.assertEqual({word.rstrip("/") for word in ask("exeat apps --root %s/" % self.room)}, {self.room + "/inner"})
        self.assertIn("env", ask("exeat exec en"))
        self.assertIn("env", ask("exeat exec -- en"))

    @unittest.skipUnless(shutil.which("bash"), "no bash here")
    def test_bash(self):
        def ask(line):
            words = line.split(" ")
            name = words[0]
            script = ("source %s; COMP_WORDS=(%s); COMP_CWORD=%d; COMP_LINE=%s; COMP_POINT=${#COMP_LINE}; _%s %s; printf '%%s\\n' \"${COMPREPLY[@]}\""
                      % (paper(name + ".bash"), " ".join("'%s'" % word for word in words), len(words) - 1, "'%s'" % line,
                         name.replace("-", "_"), name))
            done = run(["bash", "--norc", "-c", script], env=self.env, cwd=self.room)
            self.assertEqual(done.stderr, "")
            return set(done.stdout.split())
        self.check(ask)
        self.assertEqual(ask("exeat login --config = %s l" % self.config), {"lab"})  # how bash cuts --config=FILE
        self.assertEqual(ask("exeat run --config = %s/o" % self.room), {self.room + "/one.conf"})
        self.assertEqual(ask("exeat exec cat --config o"), {"one.conf"})
        self.check_tray(ask)
        self.assertEqual(ask("exeat-tray --icons = l"), {"light"})

    @unittest.skipUnless(shutil.which("shellcheck"), "no shellcheck here")
    def test_shellcheck(self):
        done = run(["shellcheck", paper("exeat.bash"), paper("exeat-tray.bash")])
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    @unittest.skipUnless(shutil.which("fish"), "no fish here")
    def test_fish(self):
        def ask(line):
            done = run(["fish", "--no-config", "-c", "source %s; complete -C '%s'" % (paper(line.split()[0] + ".fish"), line)], env=self.env, cwd=self.room)
            self.assertEqual(done.stderr, "")
            return {row.split("\t")[0] for row in done.stdout.splitlines()}
        self.check(ask)
        self.check_tray(ask)

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh(self):
        with Zsh(self.env, self.room) as zsh:
            self.check(zsh.ask)
            self.check_tray(zsh.ask)


class Zsh:
    """An interactive zsh. Its completion is asked by a widget (Ctrl-T) that prints what would be offered, and throws the line away."""

    SETUP = r"""
PROMPT= RPROMPT=; fpath=('PAPERS' $fpath); autoload -U compinit; compinit -u -D
zstyle ':completion:*' completer _complete
typeset -ga offered
compadd() {
    local -a hits rest
    local -A with
    [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]] && { builtin compadd "$@"; return }
    builtin compadd -A hits "$@"
    rest=("$@"); zparseopts -D -E -A with -a rest P: p:
    offered+=("$IPREFIX${with[-p]}${with[-P]}"${^hits})
    builtin compadd "$@"
}
offer() { offered=(); _main_complete; compstate[insert]= compstate[list]= }
zle -C offer complete-word offer
ask() { zle offer; BUFFER=; zle -I; print -r -- "<<${(j: :)offered}>>" }
zle -N ask; bindkey '^T' ask
print -r -- "<<""ready>>"
"""

    def __init__(self, env, cwd):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(["zsh", "-f", "-i"], stdin=slave, stdout=slave, stderr=slave, env=env, cwd=cwd, start_new_session=True)
        os.close(slave)
        path = os.path.join(cwd, os.pardir, "setup.zsh")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.SETUP.replace("PAPERS", PAPERS))
        self.text = ""
        self.write("source %s\n" % path)

    def __enter__(self):
        assert self.answer() == "ready"
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def write(self, text):
        os.write(self.master, text.encode())

    def answer(self):
        end = time.monotonic() + place.PATIENCE
        while ">>" not in self.text:
            if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError("zsh says nothing more: " + self.text)
            self.text += os.read(self.master, 65536).decode(errors="replace")
        said, self.text = self.text.split(">>", 1)
        return said.split("<<")[-1].replace("\r\n", "")

    def ask(self, line):
        self.write(line + "\x14")
        return set(self.answer().split())
