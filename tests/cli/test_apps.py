"""exeat env, exec and apps: the words for each shell, and other programs' files in a private home."""

import json
import os
import shutil
import stat
import subprocess

import place

LISTENING = {"listening": {"ok": True, "listening": ["172.17.0.1:4000", "unix:/run/x", "[::1]:4000", "127.0.0.1:4001"], "no_proxy": [".corp.example", "a*b", "host:1"],
                           "allow_uids": ["self", "root"], "allow_any": False}}
URL = "http://127.0.0.1:4001"
NO_PROXY = "localhost,127.0.0.1,127.0.0.0/8,::1,.corp.example"
VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
HOSTILE = "a'b\"c\\d$(touch pwned)`touch pwned` %41 \n;\t!é\x01 *~#&|<>"


class Env(place.Place):
    def run_in(self, shell, script, **env):
        environment = dict(self.env, EXEAT=self.program, **env)
        answer = subprocess.run([shell, "-c", script], env=environment, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=place.PATIENCE)
        self.assertEqual(answer.returncode, 0, answer)
        self.assertEqual(answer.stderr, b"", answer)
        self.assertFalse(os.path.exists(self.path("pwned")))
        return dict(line.split("=", 1) for line in answer.stdout.decode().split("\0") if "=" in line)

    def check_shell(self, shell, set_words, undo_words):
        if shutil.which(shell) is None:
            self.skipTest("%s is not installed" % shell)
        self.fake_agent(LISTENING)
        for before in ({}, {"http_proxy": "http://old:1", "NO_PROXY": ""}, {"https_proxy": HOSTILE, "no_proxy": "'", "HTTPS_PROXY": "\u2019 \u2018\\"}):
            env = dict(before, SHELL="/bin/" + shell)
            with self.subTest(shell, before=before):
                now = self.run_in(shell, set_words + "; env -0", **env)
                for name in VARIABLES:
                    self.assertEqual(now[name], NO_PROXY if name.lower() == "no_proxy" else URL)
                for script in (set_words + "; " + undo_words, "; ".join([set_words] * 3 + [undo_words])):
                    now = self.run_in(shell, script + "; env -0", **env)
                    self.assertEqual({name: now[name] for name in VARIABLES if name in now}, before)
                    self.assertNotIn("EXEAT_ENV_BEFORE", now)

    def test_sh(self):
        self.check_shell("sh", 'eval "$("$EXEAT" env)"', 'eval "$("$EXEAT" env --undo)"')

    def test_bash(self):
        self.check_shell("bash", 'eval "$("$EXEAT" env)"', 'eval "$("$EXEAT" env --undo)"')

    def test_zsh(self):
        self.check_shell("zsh", 'eval "$("$EXEAT" env)"', 'eval "$("$EXEAT" env --undo)"')

    def test_fish(self):
        self.check_shell("fish", '"$EXEAT" env | source', '"$EXEAT" env --undo | source')

    def test_the_shell_that_asks_counts(self):
        """Not the one of the login: in a script of another, or in a shell typed into another one."""
        self.fake_agent(LISTENING)
        for shell, login in (("sh", "fish"), ("bash", "tcsh"), ("zsh", "pwsh"), ("sh", "")):
            if shutil.which(shell):
                now = self.run_in(shell, 'eval "$("$EXEAT" env)"; env -0', SHELL=login)
                self.assertEqual(now["https_proxy"], URL)
        if shutil.which("fish"):
            now = self.run_in("fish", '"$EXEAT" env | source; env -0', SHELL="/bin/sh", https_proxy="\\")
            self.assertEqual((now["https_proxy"], now["EXEAT_ENV_BEFORE"].split()[1]), (URL, "https_proxy=%5C"))
        script = self.write("script", '#!/bin/sh\neval "$("$EXEAT" env)"; env -0\n')
        os.chmod(script, 0o700)
        self.assertEqual(self.run_in("sh", "exec " + script, SHELL="fish")["https_proxy"], URL)

    def test_powershell_words(self):
        self.fake_agent(LISTENING)
        out = self.exeat("env", "--shell", "pwsh").stdout
        self.assertTrue(out.startswith("$env:http_proxy = '%s';\n" % URL), out)
        out = self.exeat("env", "--undo", "--shell", "pwsh", env={"EXEAT_ENV_BEFORE": "http_proxy=a%27%E2%80%99b https_proxy"}).stdout
        self.assertEqual(out, "$env:http_proxy = 'a''\u2019\u2019b';\nRemove-Item Env:https_proxy -ErrorAction SilentlyContinue;\n"
                              "Remove-Item Env:EXEAT_ENV_BEFORE -ErrorAction SilentlyContinue;\n")

    def test_what_was_saved_is_not_trusted(self):
        for saved in ("PATH=/evil", "http_proxy;touch=x", "http_proxy=%2", "http_proxy=%zz", "http_proxy=%00", "=", "%"):
            out = self.exeat("env", "--undo", "--shell", "sh", env={"EXEAT_ENV_BEFORE": saved})
            self.assertEqual((out.returncode, out.stdout), (0, "unset EXEAT_ENV_BEFORE;\n"), saved)

    def test_nothing_to_undo(self):
        self.expect(1, "", "nothing to undo", "env", "--undo")

    def test_unknown_shell(self):
        for words, env in ((("--shell", "tcsh"), {}), ((), {"SHELL": "/bin/tcsh"}), (("--shell", "s h"), {}), (("--shell", " "), {})):
            self.expect(2, "", "--shell sh", "env", *words, env=env)

    def test_configuration_where_no_agent_runs(self):
        self.configure("[listen]\nhttp = [::1]:5000 127.0.0.2:5001\n" + place.CONFIG + "[route]\nno-proxy = .x.example\n")
        out = self.exeat("env", "--shell", "sh").stdout
        self.assertIn("http_proxy='http://127.0.0.2:5001'", out)
        self.assertIn("::1,.x.example'", out)

    def test_wrong_configuration_sets_nothing(self):
        self.configure("[listen]\nnonsense = 1\n")
        self.expect(3, "", "nonsense", "env", "--shell", "sh")

    def test_only_unix_sockets(self):
        self.fake_agent({"listening": {"ok": True, "listening": ["unix:/run/x"]}})
        self.expect(3, "", "HOST:PORT", "env", "--shell", "sh")

    def test_exec(self):
        self.fake_agent(LISTENING)
        out = self.exeat("exec", "--", "env").stdout.split("\n")
        self.assertIn("https_proxy=" + URL, out)
        self.assertIn("NO_PROXY=" + NO_PROXY, out)
        self.assertEqual(self.exeat("exec", "sh", "-c", "exit 42").returncode, 42)
        self.assertEqual(self.exeat("exec", "sh", "-c", "kill -TERM $$").returncode, -15)
        self.assertEqual(self.exeat("exec", "printf", "%s|", "-h", "--help", "a b").stdout, "-h|--help|a b|")
        self.expect(127, "", "no-such-command cannot be run", "exec", "no-such-command")
        self.expect(126, "", "cannot be run", "exec", self.write("plain", "x"))
        self.expect(2, "", "which command", "exec")

    def test_exec_leaves_the_rest_of_the_environment(self):
        self.fake_agent(LISTENING)
        given = {"SSL_CERT_FILE": "/x", "ALL_PROXY": "socks5://y", "all_proxy": "z"}
        out = self.exeat("exec", "env", env=given).stdout.split("\n")
        for name, value in given.items():
            self.assertIn("%s=%s" % (name, value), out)


# What stands in a file before, by its path below the home directory or (with a slash in front) the root; every editor, ordinary and odd.
BEFORE = {
    ".gitconfig": b"[user]\n\tname = Alice\n[http]\n\tproxy = http://user:secret@old.example:8080 ; why\n\tsslVerify = true\n",
    ".npmrc": b"//registry.example/:_authToken=token-that-is-secret\r\nproxy=http://old\r\n",
    ".yarnrc": b"# no newline at the end\nregistry \"https://r.example/\"",
    ".yarnrc.yml": b"nodeLinker: node-modules\n",
    ".config/pip/pip.conf": b"\xef\xbb\xbf[global]\nindex-url = https://p.example/\n",
    ".cargo/config.toml": b"[build]\njobs = 1\n",
    ".m2/settings.xml": b"<?xml version=\"1.0\"?>\n<settings>\n  <!-- <proxies> -->\n  <localRepository>/x</localRepository>\n</settings>\n",
    ".gradle/gradle.properties": b"org.gradle.daemon=false\n",
    ".condarc": b"channels:\n  - defaults\n",
    ".curlrc": b"-s\n",
    ".wgetrc": b"\xff\xfe not UTF-8\nhttp_proxy = http://old/\n",
    ".gemrc": b":verbose: true\n",
    ".nuget/NuGet/NuGet.Config": b"<configuration>\n  <config />\n</configuration>",
    ".docker/config.json": b"{\n\t\"auths\": {\n\t\t\"r.example\": {\"auth\": \"c2VjcmV0\"}\n\t}\n}",
    ".ssh/config": b"Host a\n  Port 22\n",
    ".config/Code/User/settings.json": b"// mine\n{\n    \"editor.tabSize\": 2, /* two */\n}\n",
    ".config/JetBrains/IdeaIC2024.1/options/proxy.settings.xml": b"<application>\n</application>",
    ".config/kioslaverc": b"[Proxy Settings]\nProxyType=0\n",
    "/etc/dnf/dnf.conf": b"[main]\ngpgcheck=1\n",
    "/etc/java-17-openjdk/net.properties": b"http.nonProxyHosts=localhost|127.*|[::1]\n",
    "/etc/firefox/policies/policies.json": b"{\"policies\": {\"DisableTelemetry\": true}}",
    "/etc/apt/apt.conf.d/70debconf": b"// here to make the directory\n",
}
USER = "git npm yarn pip cargo maven gradle conda curl wget gem nuget docker ssh vscode jetbrains kde pnpm podman environment".split()
SYSTEM = "apt dnf dockerd snap firefox java podman-root".split()


class Apps(place.Place):
    def setUp(self):
        super().setUp()
        self.fake_agent(LISTENING)
        os.mkdir(self.path("root"))

    def place_of(self, name):
        return self.path("root" + name if name.startswith("/") else "home/" + name)

    def put(self, name, content, mode=0o640):
        path = self.place_of(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def tree(self):
        """Every file and directory of the home and the root: mode, and content or the link's goal."""
        found = {}
        for top in ("home", "root"):
            for folder, folders, files in os.walk(self.path(top)):
                for name in folders + files:
                    path = os.path.join(folder, name)
                    if "/var/lib/exeat" in path or path.endswith(("/var", "/var/lib")):
                        continue
                    info = os.lstat(path)
                    if stat.S_ISLNK(info.st_mode):
                        found[path] = os.readlink(path)
                    elif stat.S_ISREG(info.st_mode):
                        with open(path, "rb") as file:
                            found[path] = (info.st_mode, info.st_uid, file.read())
                    else:
                        found[path] = info.st_mode
        return found

    def apps(self, *words, code=0, **options):
        answer = self.exeat("apps", "--root", self.path("root"), *words, **options)
        self.assertEqual(answer.returncode, code, answer)
        return answer

    def read(self, name):
        with open(self.place_of(name), "rb") as file:
            return file.read()

    def test_files_become_what_they_were(self):
        for name, content in BEFORE.items():
            self.put(name, content)
        before = self.tree()
        self.apps("set", *USER, *SYSTEM)
        after = self.tree()
        for name, content in BEFORE.items():
            if name != "/etc/apt/apt.conf.d/70debconf":
                self.assertNotEqual(after[self.place_of(name)], before[self.place_of(name)], name)
                self.assertEqual(after[self.place_of(name)][:2], before[self.place_of(name)][:2], name)
        for one in json.loads(self.apps("--json").stdout)["apps"]:
            if one["set_by_exeat"]:
                self.assertEqual(one["state"], "exeat", one)
        self.apps("unset", *USER, *SYSTEM)
        self.assertEqual(self.tree(), before)

    def test_what_was_not_there_is_not_there_again(self):
        os.makedirs(self.path("home/.config/JetBrains/Idea/options"))
        os.makedirs(self.path("home/.config/Code/User"))
        before = self.tree()
        self.apps("set", *[name for name in USER + SYSTEM if name not in ("java", "nuget")])
        self.assertGreater(len(self.tree()), len(before) + 30)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("home/.ssh/config")).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("root/etc/apt/apt.conf.d/90exeat")).st_mode), 0o644)
        self.apps("unset", "all")
        self.assertEqual(self.tree(), before)

    def test_twice_and_another_address(self):
        self.put(".gitconfig", BEFORE[".gitconfig"])
        before = self.tree()
        self.apps("set", "git", "npm")
        once = self.tree()
        self.assertIn("uses exeat already", self.apps("set", "git").stdout)
        self.assertEqual(self.tree(), once)
        self.apps("set", "git", "npm", "--proxy", "http://[::1]:9")
        self.assertIn(b"http://[::1]:9", self.read(".gitconfig"))
        self.assertNotIn(b"4001", self.read(".gitconfig") + self.read(".npmrc"))
        self.apps("unset", "git", "npm")
        self.assertEqual(self.tree(), before)
        self.assertIn("nothing to undo", self.apps("unset", "git").stdout)

    def test_changed_by_hand_since(self):
        for name, content in BEFORE.items():
            self.put(name, content)
        self.apps("set", "git", "npm", "vscode", "docker", "maven")
        self.put(".gitconfig", self.read(".gitconfig") + b"[core]\n\tpager = less\n")
        self.put(".npmrc", b"# new\r\n" + self.read(".npmrc").replace(b"proxy=http://127.0.0.1:4001", b"proxy=http://mine", 1))
        self.put(".docker/config.json", json.dumps(json.loads(self.read(".docker/config.json"))).encode())
        self.put(".m2/settings.xml", self.read(".m2/settings.xml").replace(b"/x", b"/y"))
        said = self.apps("unset", "git", "npm", "vscode", "docker", "maven").stdout
        self.assertIn("changed since", said)
        self.assertRegex(said, r"npm: proxy in \S+ has been changed since, and stays")
        self.assertEqual(self.read(".gitconfig"), BEFORE[".gitconfig"] + b"[core]\n\tpager = less\n")
        self.assertEqual(self.read(".npmrc"), b"# new\r\n" + BEFORE[".npmrc"].replace(b"//old", b"//mine"))
        self.assertEqual(json.loads(self.read(".docker/config.json")), json.loads(BEFORE[".docker/config.json"]))
        self.assertEqual(self.read(".m2/settings.xml"), BEFORE[".m2/settings.xml"].replace(b"/x", b"/y"))
        self.assertEqual(self.read(".config/Code/User/settings.json"), BEFORE[".config/Code/User/settings.json"])

    def test_gone_since(self):
        self.put(".npmrc", b"a=1\n")
        self.apps("set", "npm", "git")
        os.unlink(self.path("home/.npmrc"))
        os.unlink(self.path("home/.gitconfig"))
        self.assertIn("is gone", self.apps("unset", "npm", "git").stdout)
        self.assertFalse(os.path.exists(self.path("home/.npmrc")))

    def test_dry_run_is_the_exact_difference(self):
        names = {"git": ".gitconfig", "npm": ".npmrc", "yarn": ".yarnrc", "docker": ".docker/config.json", "maven": ".m2/settings.xml", "curl": ".curlrc",
                 "vscode": ".config/Code/User/settings.json", "conda": ".condarc"}
        for file in names.values():
            if file != ".curlrc":
                self.put(file, BEFORE[file])
        before = self.tree()
        said = self.apps("set", "--dry-run", *names, stdout=subprocess.PIPE)
        self.assertEqual(self.tree(), before)
        self.assertFalse(os.path.exists(self.path("state/exeat/apps.json")))
        subprocess.run(["patch", "--binary", "-s", "-p0", "-d", "/"], input=said.stdout.encode(), check=True, timeout=place.PATIENCE)
        patched = self.tree()
        for name, file in names.items():
            if file in BEFORE and file != ".curlrc":
                self.put(file, BEFORE[file])
            else:
                os.unlink(self.place_of(file))
        os.unlink(self.place_of(".yarnrc.yml"))
        self.apps("set", *names)
        contents = lambda tree: {path: entry[2] for path, entry in tree.items() if isinstance(entry, tuple)}
        self.assertEqual(contents(self.tree()), contents(patched))
        undo = self.apps("unset", "--dry-run", "git").stdout
        self.assertIn("+\tproxy = http://user:secret@old.example:8080 ; why\n", undo)

    def test_dry_run_where_names_have_blanks(self):
        """GNU patch, like all who read differences, takes what follows a blank for a date, unless a tab says where the name ends."""
        home = {"HOME": self.path("home/my own")}
        git, npm = self.put("my own/.gitconfig", BEFORE[".gitconfig"]), self.place_of("my own/.npmrc")
        said = self.apps("set", "--dry-run", "git", "npm", env=home)
        subprocess.run(["patch", "--binary", "-s", "-p0", "-d", "/"], input=said.stdout.encode(), check=True, timeout=place.PATIENCE)
        patched = self.read("my own/.gitconfig"), self.read("my own/.npmrc")
        os.unlink(npm)
        with open(git, "wb") as file:
            file.write(BEFORE[".gitconfig"])
        self.apps("set", "git", "npm", env=home)
        self.assertEqual((self.read("my own/.gitconfig"), self.read("my own/.npmrc")), patched)
        self.apps("unset", "all", env=home)
        self.assertEqual(self.read("my own/.gitconfig"), BEFORE[".gitconfig"])
        self.assertFalse(os.path.exists(npm))

    def test_attributes_are_kept(self):
        path = self.put(".npmrc", b"a=1\n", 0o640)
        access = bytes.fromhex("0200000001000600ffffffff020004003930000004000400ffffffff10000400ffffffff20000000ffffffff")  # u::rw-,u:12345:r--,g::r--,m::r--
        for name, value in (("user.mine", b"\0\xff"), ("system.posix_acl_access", access)):
            try:
                os.setxattr(path, name, value)
            except OSError as error:
                self.skipTest("no %s here: %s" % (name, error))
        before = {name: os.getxattr(path, name) for name in os.listxattr(path)}
        for verb in ("set", "unset"):
            self.apps(verb, "npm")
            self.assertEqual({name: os.getxattr(path, name) for name in os.listxattr(path)}, before)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)

    def test_what_a_killed_run_left_is_swept_away(self):
        self.put(".npmrc", b"a=1\n")
        self.put(".npmrc.exeat-longer-than-ours", b"")
        before = self.tree()
        self.put(".npmrc.exeat-AbCd3f", b"half")
        self.apps("set", "npm")
        self.put(".npmrc", b"a=1\n")
        self.assertFalse(os.path.exists(self.place_of(".npmrc.exeat-AbCd3f")))
        self.put(".npmrc.exeat-gHiJkL", b"half")  # killed before the rename: the journal has it, the file is as it was
        self.apps("unset", "--dry-run", "npm")
        self.assertTrue(os.path.exists(self.place_of(".npmrc.exeat-gHiJkL")))
        self.apps("unset", "npm")
        self.assertEqual(self.tree(), before)

    def test_curl_reads_one_file_alone(self):
        """A new one in CURL_HOME would hide the one at home, which curl reads where that has none."""
        self.put(".curlrc", BEFORE[".curlrc"])
        self.put(".config/curlrc", b"-v\n")
        os.mkdir(self.place_of("c"))
        self.apps("set", "curl", env={"CURL_HOME": self.place_of("c")})
        self.assertIn(b"4001", self.read(".curlrc"))
        self.assertEqual((os.listdir(self.place_of("c")), self.read(".config/curlrc")), ([], b"-v\n"))
        self.apps("unset", "curl")
        os.unlink(self.place_of(".curlrc"))
        self.apps("set", "curl")
        self.assertIn(b"4001", self.read(".config/curlrc"))

    def test_nuget_is_to_make_its_file_itself(self):
        """One without sources, made by us, would keep it from adding its own."""
        self.assertIn("start it once", self.apps("set", "nuget", code=1).stderr)
        self.put("tools/nuget", b"", 0o755)
        self.assertIn("start it once", self.apps("set", "all", env={"PATH": self.place_of("tools")}).stderr)
        self.assertFalse(os.path.exists(self.place_of(".config/NuGet")))
        self.put(".config/NuGet/NuGet.Config", b"<configuration><config><add key='http_proxy' value='x'/></config></configuration>")
        self.apps("set", "nuget")
        self.assertEqual(self.read(".config/NuGet/NuGet.Config"),
                         b'<configuration><config><add key="http_proxy" value="%s" /></config></configuration>' % URL.encode())
        self.assertFalse(os.path.exists(self.place_of(".nuget")))

    def test_journal_keeps_no_copy_of_tokens(self):
        for name in (".npmrc", ".docker/config.json"):
            self.put(name, BEFORE[name])
        self.apps("set", "npm", "docker")
        with open(self.path("state/exeat/apps.json")) as file:
            text = file.read()
            self.assertNotIn("token-that-is-secret", text)
            self.assertNotIn("c2VjcmV0", text)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("state/exeat/apps.json")).st_mode), 0o600)

    def test_list_shows_no_password(self):
        self.put(".gitconfig", BEFORE[".gitconfig"])
        for words in ((), ("--json",)):
            said = self.apps(*words).stdout
            self.assertIn("http://old.example:8080", said)
            self.assertNotIn("secret", said)

    def test_states(self):
        self.put(".npmrc", b"proxy=http://127.0.0.1:4001\n")
        self.put(".gitconfig", b"[http]\n\tproxy = http://other.example:1\n")
        self.put("/etc/apt/apt.conf.d/01proxy", b"# Acquire::http::Proxy \"http://no:1\";\nAcquire::http::Proxy \"http://other.example:2/\";\n")
        self.put("/usr/bin/apt-get", b"", 0o755)
        env = {"http_proxy": URL, "https_proxy": URL + "/"}
        states = {one["name"]: one for one in json.loads(self.apps("--json", env=env).stdout)["apps"]}
        self.assertEqual(states["npm"]["state"], "partly")
        self.assertEqual((states["git"]["state"], states["git"]["proxy"]), ("other", "http://other.example:1"))
        self.assertEqual((states["apt"]["state"], states["apt"]["proxy"]), ("other", "http://other.example:2/"))
        self.assertEqual((states["curl"]["state"], states["curl"]["by_environment"]), ("exeat", True))
        states = {one["name"]: one for one in json.loads(self.apps("--json").stdout)["apps"]}
        self.assertEqual(states["curl"]["state"], "none")

    def test_links_are_followed(self):
        self.put("dotfiles/gitconfig", b"[user]\n\tname = A\n")
        os.symlink("dotfiles/gitconfig", self.path("home/.gitconfig"))
        before = self.tree()
        self.apps("set", "git")
        self.assertTrue(os.path.islink(self.path("home/.gitconfig")))
        self.assertIn(b"proxy", self.read("dotfiles/gitconfig"))
        self.apps("unset", "git")
        self.assertEqual(self.tree(), before)

    def test_what_may_not_be_replaced(self):
        self.put(".gitconfig", b"[a]\n", 0o440)
        os.symlink("nowhere", self.path("home/.npmrc"))
        os.link(self.put(".curlrc", b"-s\n"), self.path("home/second-name"))
        os.mkdir(self.path("home/.wgetrc"))
        self.put(".cargo/config.toml", b"http = { proxy = \"x\" }\n")
        self.put(".docker/config.json", b"{ \"broken\": ")
        self.put(".yarnrc", b"\0\0\0")
        self.put(".gemrc", b"# " + b"x" * (17 << 20))
        before = self.tree()
        for name, words in (("git", "read-only"), ("npm", "symbolic link to a file that is not there"), ("curl", "second name"), ("wget", "not a plain file"),
                            ("cargo", "form that exeat does not edit"), ("docker", "not the JSON object"), ("yarn", "not a text file"),
                            ("gem", "larger than")):
            self.assertIn(words, self.apps("set", name, code=1).stderr)
            self.assertEqual(self.tree(), before, name)
            self.apps("set", "--dry-run", name, code=1)

    def test_a_link_does_not_lead_out_of_the_root(self):
        outside = self.write("root-outside", "[main]\n")  # a name that begins as the root's does
        os.makedirs(self.path("root/etc/dnf"))
        os.symlink(outside, self.path("root/etc/dnf/dnf.conf"))
        self.assertIn("leads out of", self.apps("set", "dnf", code=1).stderr)
        with open(outside) as file:
            self.assertEqual(file.read(), "[main]\n")

    def test_a_folder_that_may_not_be_written(self):
        if os.geteuid() == 0:
            self.skipTest("root may write everywhere")
        os.chmod(self.path("home"), 0o500)
        self.addCleanup(os.chmod, self.path("home"), 0o700)
        self.assertIn("cannot be written", self.apps("set", "git", code=1).stderr)
        self.apps("unset", "git")

    def test_interrupted_between_journal_and_file(self):
        """The journal says that it was written, but the file is as it was: nothing to do, and nothing is done."""
        self.put(".gitconfig", BEFORE[".gitconfig"])
        self.apps("set", "git")
        self.put(".gitconfig", BEFORE[".gitconfig"])
        before = self.tree()
        self.apps("unset", "git")
        self.assertEqual(self.tree(), before)
        self.assertIn("nothing to undo", self.apps("unset", "git").stdout)

    def test_environment_variables_of_programs(self):
        for variable, name, file in (("GIT_CONFIG_GLOBAL", "git", "g"), ("NPM_CONFIG_USERCONFIG", "npm", "n"), ("PIP_CONFIG_FILE", "pip", "p"),
                                     ("WGETRC", "wget", "w"), ("CONDARC", "conda", "c")):
            self.apps("set", name, env={variable: self.path("home/" + file)})
            self.assertIn(b"4001", self.read(file))
        for variable, name, file in (("CARGO_HOME", "cargo", "config.toml"), ("GRADLE_USER_HOME", "gradle", "gradle.properties"),
                                     ("DOCKER_CONFIG", "docker", "config.json")):
            self.apps("set", name, env={variable: self.path("home/" + name)})
            self.assertIn(b"4001", self.read(name + "/" + file))
        self.apps("unset", "all")  # without the variables
        self.assertFalse([path for path, entry in self.tree().items() if isinstance(entry, tuple)])

    def test_all_leaves_out_what_has_to_be_named(self):
        for name in ("apt-get", "firefox", "java"):
            self.put("/usr/bin/" + name, b"", 0o755)
        self.put("/etc/java-17-openjdk/net.properties", BEFORE["/etc/java-17-openjdk/net.properties"])
        tools = self.path("home/tools")
        for name in ("git", "ssh", "docker", "go"):
            self.put("tools/" + name, b"", 0o755)
        before = self.tree()
        said = self.apps("set", "all", env={"PATH": tools})
        self.assertTrue(os.path.exists(self.path("home/.gitconfig")))
        self.assertTrue(os.path.exists(self.path("root/etc/apt/apt.conf.d/90exeat")))
        for name, path in (("ssh", "home/.ssh"), ("docker", "home/.docker"), ("firefox", "root/etc/firefox")):
            self.assertFalse(os.path.exists(self.path(path)), name)
            self.assertIn("%s: left out; name it if you want it" % name, said.stderr)
        self.assertEqual(self.read("/etc/java-17-openjdk/net.properties"), BEFORE["/etc/java-17-openjdk/net.properties"])
        self.apps("unset", "all", env={"PATH": tools})
        self.assertEqual(self.tree(), before)

    def test_full_disk(self):
        """What could not be written is not in the journal: with a limit on the size of files, as a full disk has it."""
        self.put(".gitconfig", b"# " + b"x" * 100000 + b"\n")
        self.apps("set", "npm")
        before = self.tree()
        limited = ["sh", "-c", "trap '' XFSZ; exec prlimit --fsize=50000 \"$@\"", "sh", self.program, "apps", "set"]
        for name, code in (("git", 1), ("npm", 0)):
            run = subprocess.run(limited + [name, "--proxy", "http://127.0.0.1:9"], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.assertEqual(run.returncode, code, run)
        self.assertIn(b"# xxx", self.read(".gitconfig")[:10])
        self.apps("set", "npm")
        self.assertEqual(self.tree(), before)
        self.assertIn("nothing to undo", self.apps("unset", "git").stdout)

    def test_programs_without_a_file(self):
        for name in ("go", "uv", "composer"):
            said = self.apps("set", name, code=1).stderr
            self.assertIn("exeat exec -- " + name, said)

    def test_allow_uids(self):
        said = self.apps("set", "apt")
        if "_apt" in open("/etc/passwd").read():
            self.assertIn("    allow-uids = self root _apt\n", said.stderr)
        self.assertNotIn("allow-uids", self.apps("set", "snap").stderr)

    def test_wrong_words(self):
        for words, says in ((("set",), "which programs"), (("set", "gti"), 'did you mean "git"'), (("frobnicate",), "neither list nor set"),
                            (("set", "git", "--proxy", "socks5://x"), "http://HOST:PORT")):
            self.assertIn(says, self.apps(*words, code=2).stderr)
        self.assertEqual(self.tree(), {self.path("home/.config"): 0o40700, self.path("home/.config/exeat"): 0o40700})

    def test_root_is_asked_for(self):
        if os.geteuid() == 0:
            self.skipTest("this is root")
        self.expect(1, "", "sudo exeat apps set apt", "apps", "set", "apt")

    def test_home_of_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        os.chown(self.path("home"), 12345, 12345)
        self.assertIn("without sudo", self.apps("set", "git", code=1).stderr)
        os.chown(self.path("home"), 0, 0)

    def test_owner_is_kept(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        os.chown(self.put("/etc/dnf/dnf.conf", BEFORE["/etc/dnf/dnf.conf"]), 12345, 12346)
        self.apps("set", "dnf")
        info = os.stat(self.path("root/etc/dnf/dnf.conf"))
        self.assertEqual((info.st_uid, info.st_gid), (12345, 12346))

    def test_broken_journal(self):
        self.apps("set", "git")
        with open(self.path("state/exeat/apps.json"), "w") as file:
            file.write("{")
        before = self.tree()
        self.assertIn("cannot be read", self.apps("set", "npm", code=1).stderr)
        self.assertIn("cannot be read", self.apps("unset", "git", code=1).stderr)
        self.assertEqual(self.tree(), before)

    def test_journal_with_nonsense_in_it(self):
        self.apps("set", "git")
        with open(self.path("state/exeat/apps.json")) as file:
            journal = json.load(file)
        for path in ("relative", ""):
            journal["entries"][0]["path"] = path
            with open(self.path("state/exeat/apps.json"), "w") as file:
                json.dump(journal, file)
            before = self.tree()
            self.assertIn("it is damaged", self.apps("unset", "git", code=1).stderr)
            self.assertEqual(self.tree(), before)

    def test_two_at_once(self):
        runs = [subprocess.Popen([self.program, "apps", "set", name], env=self.env, stdout=subprocess.DEVNULL) for name in ("git", "npm", "pip", "curl", "wget")]
        self.assertEqual([run.wait(place.PATIENCE) for run in runs], [0] * len(runs))
        self.apps("unset", "all")
        self.assertFalse([path for path, entry in self.tree().items() if isinstance(entry, tuple)])


class Gnome(place.Place):
    """gsettings with a backend of its own in the private home."""

    def setUp(self):
        super().setUp()
        if shutil.which("gsettings") is None or not os.path.exists("/usr/share/glib-2.0/schemas/org.gnome.system.proxy.gschema.xml"):
            self.skipTest("gsettings or its schemas are not installed")
        self.fake_agent(LISTENING)
        self.env["GSETTINGS_BACKEND"] = "keyfile"
        self.keyfile = self.path("home/.config/glib-2.0/settings/keyfile")

    def gsettings(self, *words):
        return subprocess.run(["gsettings", *words], env=self.env, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def settings(self):
        return [self.gsettings("get", "org.gnome.system.proxy" + schema, key)
                for schema, key in (("", "mode"), ("", "ignore-hosts"), (".http", "host"), (".http", "port"), (".https", "host"), (".https", "port"))]

    def test_set_and_unset(self):
        self.gsettings("set", "org.gnome.system.proxy.http", "host", "old.example")
        before = self.settings()
        with open(self.keyfile) as file:
            text = file.read()
        self.assertIn("+'manual'", self.expect(0, "manual", "", "apps", "set", "gnome", "--dry-run").stdout)
        self.assertEqual(self.settings(), before)
        self.expect(0, "gnome: set", "", "apps", "set", "gnome")
        self.assertEqual(self.settings(), ["'manual'", "['localhost', '127.0.0.1', '127.0.0.0/8', '::1', '.corp.example']", "'127.0.0.1'", "4001",
                                           "'127.0.0.1'", "4001"])
        self.expect(0, "uses exeat already", "", "apps", "set", "gnome")
        self.expect(0, "put org.gnome.system.proxy back", "", "apps", "unset", "gnome")
        self.assertEqual(self.settings(), before)
        with open(self.keyfile) as file:
            self.assertEqual([line for line in file.read().split() if "=" in line], [line for line in text.split() if "=" in line])

    def test_changed_since(self):
        self.expect(0, "gnome: set", "", "apps", "set", "gnome")
        self.gsettings("set", "org.gnome.system.proxy", "mode", "auto")
        self.expect(0, "mode has been changed since, and stays", "", "apps", "unset", "gnome")
        self.assertEqual(self.settings()[0], "'auto'")
        self.assertEqual(self.settings()[2], "''")


