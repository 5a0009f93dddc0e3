"""A throw-away Kerberos realm on a loopback port, and an NTLM authority: what a proxy's acceptor needs."""
import base64
import glob
import os
import shutil
import signal
import subprocess
import tempfile

import gssapi

from ports import free_port

NTLM = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")


class Realm:
    """CORP.EXAMPLE with alice, and HTTP/proxy.corp.example in a keytab."""

    name = "CORP.EXAMPLE"

    def __init__(self, service="HTTP/proxy.corp.example", password="Password"):
        self.directory = tempfile.mkdtemp(prefix="exeat-realm-")
        self.port = free_port(udp=True)
        self.conf = self.directory + "/krb5.conf"
        self.keytab = self.directory + "/keytab"
        self.log = self.directory + "/kdc.log"
        self.process = None
        self._write(self.conf, """[libdefaults]
default_realm = %(name)s
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
[realms]
%(name)s = {
 kdc = 127.0.0.1:%(port)d
}
CORP = {
 kdc = 127.0.0.1:%(port)d
}
""" % {"name": self.name, "port": self.port})
        self._write(self.directory + "/kdc.conf", """[kdcdefaults]
kdc_listen = 127.0.0.1:%(port)d
kdc_tcp_listen = 127.0.0.1:%(port)d
[realms]
%(name)s = {
 database_name = %(directory)s/db
 key_stash_file = %(directory)s/stash
 acl_file = %(directory)s/acl
 supported_enctypes = aes256-cts:normal aes128-cts:normal
 max_life = 10h
 max_renewable_life = 1d
}
[logging]
kdc = FILE:%(log)s
""" % {"name": self.name, "port": self.port, "directory": self.directory, "log": self.log})
        self.env = dict(os.environ, KRB5_CONFIG=self.conf, KRB5_KDC_PROFILE=self.directory + "/kdc.conf",
                        PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
        self._run(["kdb5_util", "-r", self.name, "create", "-s", "-P", "master"])
        self.admin("addprinc -randkey " + service)
        self.admin("ktadd -k %s %s" % (self.keytab, service))
        self.admin("addprinc +requires_preauth -pw %s alice" % password)
        self.start()

    @staticmethod
    def _write(path, text):
        with open(path, "w") as f:
            f.write(text)

    def _run(self, command):
        subprocess.run(command, env=self.env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def admin(self, query):
        self._run(["kadmin.local", "-r", self.name, "-q", query])

    def start(self, clock=None):
        """clock: what its clock shows besides the time ("+2h"). Somebody's UDP socket may have the KDC's port for a moment."""
        for _ in range(5):
            if self._try_to_start(clock):
                return
        raise RuntimeError("krb5kdc ended: " + self.read_log())

    def _try_to_start(self, clock):
        """The KDC writes "commencing operation" when it listens."""
        self._write(self.log, "")
        env = dict(self.env)
        if clock:
            env.update(FAKETIME=clock, LD_PRELOAD=glob.glob("/usr/lib/*/faketime/libfaketime.so.1")[0])
        self.process = subprocess.Popen(["krb5kdc", "-n", "-r", self.name], env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while "commencing operation" not in self.read_log():
            if self.process.poll() is not None:
                return False
            try:
                self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                pass
        return True

    def stop(self):
        os.kill(self.process.pid, signal.SIGTERM)
        self.process.wait()

    def read_log(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def count(self, text):
        return self.read_log().count(text)

    def issued(self, user, kind="AS_REQ"):
        """Tickets that the KDC has given to that user. kind TGS_REQ: for an older one."""
        lines = self.read_log().splitlines()
        return sum(kind in line and " ISSUE: " in line and " %s@%s for " % (user, self.name) in line for line in lines)

    def own_conf(self, path, *libdefaults):
        """The realm's krb5.conf with more settings, at that path."""
        with open(self.conf) as f:
            self._write(path, f.read().replace("[libdefaults]\n", "[libdefaults]\n" + "".join(l + "\n" for l in libdefaults), 1))
        return path

    def kinit(self, cache, user="alice", password="Password", life="1h", options=()):
        """As a person does it: in a collection another user's ticket gets a cache of its own, which becomes the primary one."""
        subprocess.run(["kinit", "-l", life, *options, user], env=dict(self.env, KRB5CCNAME=cache), check=True,
                       input=password + "\n", text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def ticket(self):
        """The environment of somebody who has run kinit."""
        cache = self.directory + "/tickets"
        self.kinit(cache)
        return {"KRB5_CONFIG": self.conf, "KRB5CCNAME": "FILE:" + cache}

    def destroy(self):
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.destroy()


class InRealm:
    """For a test case: a realm for all of its tests, which this process and, by `env`, keyholders see."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.realm = Realm()
        cls.addClassCleanup(cls.realm.destroy)
        os.environ["KRB5_CONFIG"] = cls.realm.conf
        cls.addClassCleanup(os.environ.pop, "KRB5_CONFIG")
        cls.env = {"KRB5_CONFIG": cls.realm.conf}


class NtlmAuthority:
    """Accounts for gss-ntlmssp's acceptor (NTLM_USER_FILE, read at each acquisition)."""

    def __init__(self, *accounts):
        self.file = tempfile.NamedTemporaryFile("w", prefix="exeat-ntlm-", delete=False)
        self.file.write("".join("%s:%s:%s\n" % a for a in accounts))
        self.file.close()
        os.environ["NTLM_USER_FILE"] = self.file.name
        os.environ["NETBIOS_COMPUTER_NAME"] = "PROXY"
        os.environ["NETBIOS_DOMAIN_NAME"] = "CORP"

    def destroy(self):
        os.unlink(self.file.name)
        for name in ("NTLM_USER_FILE", "NETBIOS_COMPUTER_NAME", "NETBIOS_DOMAIN_NAME"):
            os.environ.pop(name, None)


class Acceptor:
    """One connection to a proxy that authenticates by GSSAPI. `wire`: the scheme's name; `mech`: what it understands. `binding`:
    the channel binding's application data that a client must have used, if it used one."""

    def __init__(self, wire="NTLM", mech=NTLM, keytab=None, offers=None, only=None, binding=None):
        self.wire, self.mech, self.keytab, self.only = wire, mech, keytab, only
        self.offers = offers or [wire]
        self.bindings = binding and gssapi.raw.ChannelBindings(application_data=binding)
        self.context = None
        self.user = None
        self.final = b""  # the token that belongs into the answer to an accepted request
        self.delegated = None

    def _credentials(self):
        store = {"keytab": self.keytab} if self.keytab else None
        creds = gssapi.Credentials(usage="accept", mechs=[self.mech], store=store)
        return creds

    def take(self, header):
        """What the proxy answers to this Proxy-Authorization: None for accepted, or its Proxy-Authenticate lines."""
        if not header:
            return list(self.offers)
        scheme, token = header.split(" ", 1)
        if scheme != self.wire:
            return list(self.offers)
        if self.context is None:
            self.context = gssapi.SecurityContext(creds=self._credentials(), usage="accept", channel_bindings=self.bindings)
        try:
            answer = self.context.step(base64.b64decode(token, validate=True))
            complete = self.context.complete  # raises what step() kept back where there was a token to send
        except gssapi.exceptions.GSSError:
            self.context = None
            return list(self.offers)
        if complete:
            self.user = str(self.context.initiator_name).rstrip("\0")
            self.final = answer or b""
            if gssapi.RequirementFlag.delegate_to_peer in self.context.actual_flags:
                self.delegated = self.context.delegated_creds
            return None
        return ["%s %s" % (self.wire, base64.b64encode(answer).decode())]


def converse(context, acceptor, target="http://site.example/", limit=6, **kwargs):
    """A request until the proxy accepts it or the keyholder gives up: the last answer, and how many tokens went out."""
    answer = context.authorize(target=target, **kwargs)
    sent = 0
    while answer.verdict == "SEND" and limit:
        limit -= 1
        sent += bool(answer.header)
        lines = acceptor.take(answer.header)
        if lines is None:
            context.accepted()
            return answer, sent
        answer = context.challenged(lines, target=target, **kwargs)
    return answer, sent
