"""A gateway on the domain's side of the lab, with the domain's keytab and the domain's winbind: users of the directory come in with tickets and passwords."""

import os
import re
import subprocess
import unittest

import world
from agent import Agent
from lab import lab
from session import HTTP, HTTPS

CONFIG = """[listen]
http = 127.0.0.1:0
drain = 0
[upstream corp]
proxy = http://%s:%d
auth = none
[gateway]
listen = %s:0
allow = 10.53.1.0/24
%s
""" % (world.PROXY, world.PORTS["none"], world.PROXY, "%s")


class Try(unittest.TestCase):
    def test_try(self):
        side = ["nsenter", "--target", str(lab._server), "--net", "--mount", "--ipc", "--pid", "--"]
        with Agent(CONFIG % ("auth = negotiate ntlm\nkeytab = %s\nwinbind = yes\ndomain = LAB\n[log]\nlevel=debug" % world.KEYTAB_LAB), wrap=side, env={"KRB5_CONFIG": "/etc/krb5.conf", "GSSNTLMSSP_DEBUG": "/run/lab/log/gssntlm", "WINBINDD_SOCKET_DIR": None}) as agent:
            agent.wait_log("ready: gateway")
            port = re.search(r"ready: gateway gateway on \S+:(\d+)", agent.log()).group(1)
            for words in (["--proxy-ntlm", "-U", "LAB\\alice:Al1ce-Pass!"], ["--proxy-ntlm", "-U", "alice:Al1ce-Pass!"], ["--proxy-ntlm", "-U", "LAB\\alice:wrong"], ["--proxy-ntlm", "-U", "disabled:Al1ce-Pass!"]):
                done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\n", "-x", "http://proxy.lab.example:" + port, *words, HTTP + "/bytes/10"], capture_output=True, text=True)
                print(words, done.stdout, done.stderr, lab.bad_count("alice"))
            print(agent.log())
            if os.path.exists("/run/lab/log/gssntlm"):
                print(open("/run/lab/log/gssntlm").read()[-3000:])
