"""The server's side of the four schemes, one class each, as strict as the specifications allow.

A gate offers challenges() and judges what a client sends: check(conn, request, value, names) answers (verdict, lines), where the verdict
is OK, MORE (the handshake goes on), STALE (ask again, nothing wrong) or NO, and the lines are header fields for the answer. A gate counts
what it was asked: attempts (answers that carried a proof of the password) and failed (of these)."""

import base64
import hashlib
import hmac
import os
import re
import threading

import gssaccept
import ntlm

OK, MORE, STALE, NO = "ok", "more", "stale", "no"


class Names:
    """The fields and status of authentication towards a proxy, or an origin."""

    def __init__(self, status, reason, challenge, credentials, info):
        self.status, self.reason, self.challenge, self.credentials, self.info = status, reason, challenge, credentials, info


PROXY = Names(407, "Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info")
ORIGIN = Names(401, "Unauthorized", "WWW-Authenticate", "Authorization", "Authentication-Info")


def bare_user(user):
    """alice of CORP\\alice and alice@CORP."""
    return user.split("\\")[-1].split("@")[0]


class Gate:
    scheme = ""
    binds = False  # does success let in the connection, or this request only?

    def __init__(self, user="alice", password="secret", **options):
        self.user, self.password = user, password
        self.attempts = self.failed = 0
        self.faults = []  # what clients did against the specification
        self.lock = threading.Lock()
        for name, value in options.items():
            if not hasattr(self, name):
                raise TypeError("no such option: " + name)
            setattr(self, name, value)

    def count(self, good):
        with self.lock:
            self.attempts += 1
            if not good:
                self.failed += 1
        return good

    def fault(self, text):
        with self.lock:
            self.faults.append(text)
        return NO


class Basic(Gate):
    scheme = "Basic"
    realm = "practice"
    charset = True

    def challenges(self):
        return ['Basic realm="%s"%s' % (self.realm, ', charset="UTF-8"' if self.charset else "")]

    def check(self, conn, request, value, names):
        try:
            user, _, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except ValueError:
            return self.fault("Basic credentials %r" % value), []
        return (OK if self.count((user, password) == (self.user, self.password)) else NO), []


_PARAMETER = re.compile(r'\s*([A-Za-z0-9*_-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|\Z)')
_QUOTED = {"username", "realm", "nonce", "uri", "response", "cnonce", "opaque"}
_UNQUOTED = {"algorithm", "qop", "nc", "userhash", "username*"}


def parameters(text):
    """auth-params -> ({name: value}, faults): each at most once, quoted or not as RFC 7616 section 3.4 wants it."""
    found, faults, at = {}, [], 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if not match:
            return found, faults + ["parameters unreadable from %r" % text[at:]]
        name, quoted, plain = match.group(1).lower(), match.group(2), match.group(3)
        if name in found:
            faults.append("%s twice" % name)
        if (name in _QUOTED and quoted is None) or (name in _UNQUOTED and plain is None):
            faults.append("%s quoted wrongly" % name)
        found[name] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = match.end()
    return found, faults


def hash_name(algorithm):
    name = algorithm.upper()
    return {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[name[:-5] if name.endswith("-SESS") else name]


class Digest(Gate):
    """RFC 7616 with nonces that are remembered, counted and, after `uses`, stale. next_nonce: a new nonce with each success."""

    scheme = "Digest"
    realm = "practice"
    algorithms = ("SHA-256",)
    qop = "auth"  # "" is the form of RFC 2069
    userhash = False
    uses = 0
    next_nonce = False
    rspauth = True
    opaque = "b3BhcXVl="
    charset = True
    wrong_rspauth = False

    def __init__(self, *arguments, **options):
        self.nonces = {}  # nonce -> {"used": set of counts, "session": A1 of -sess}
        self.stales = 0
        super().__init__(*arguments, **options)

    def new_nonce(self):
        nonce = base64.b64encode(os.urandom(12)).decode()
        with self.lock:
            self.nonces[nonce] = {"used": set(), "session": None}
        return nonce

    def challenges(self, stale=False):
        lines = []
        for algorithm in self.algorithms:
            parts = ['realm="%s"' % re.sub(r'(["\\])', r"\\\1", self.realm), 'nonce="%s"' % self.new_nonce()]
            parts += ['opaque="%s"' % self.opaque] if self.opaque else []
            parts += ["algorithm=" + algorithm] if algorithm else []
            parts += ['qop="%s"' % self.qop] if self.qop else []
            parts += ["charset=UTF-8"] if self.charset else []
            parts += ["userhash=true"] if self.userhash else []
            parts += ["stale=true"] if stale else []
            lines.append("Digest " + ", ".join(parts))
        return lines

    def check(self, conn, request, value, names):
        given, faults = parameters(value)
        for fault in faults:
            self.fault(fault)
        algorithm = given.get("algorithm", "MD5")
        missing = {"username", "realm", "nonce", "uri", "response"} - set(given)
        if missing - ({"username"} if "username*" in given else set()):
            return self.fault("without %s" % missing), []
        if algorithm.upper() not in [(a or "MD5").upper() for a in self.algorithms]:
            return self.fault("algorithm %s was not offered" % algorithm), []
        if given["uri"] != request.target:
            return self.fault("uri %r for the target %r" % (given["uri"], request.target)), []
        if self.opaque and given.get("opaque") != self.opaque:
            return self.fault("opaque %r" % given.get("opaque")), []
        with self.lock:
            record = self.nonces.get(given["nonce"])
        if record is None:
            return self._stale()
        if not self.count(self._proof(given, algorithm, record, request, names)):
            return NO, []
        with self.lock:
            count = given.get("nc", "%08x" % (len(record["used"]) + 1))
            fresh = count not in record["used"] and not (self.uses and len(record["used"]) >= self.uses)
            record["used"].add(count)
        if not fresh:
            return self._stale()
        return OK, self._info(given, algorithm, record, names)

    def _stale(self):
        with self.lock:
            self.stales += 1
        return STALE, []

    def _hash(self, algorithm, text):
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        return hashlib.new(hash_name(algorithm), data).hexdigest()

    def _user_matches(self, given, algorithm):
        if given.get("userhash") == "true":
            return self.userhash and given["username"] == self._hash(algorithm, "%s:%s" % (self.user, self.realm))
        if "username*" in given:
            return given["username*"].lower().startswith("utf-8''") and _percent(given["username*"][7:]) == self.user
        return given["username"].encode("latin-1", "replace").decode("utf-8", "replace") == self.user

    def _a1(self, given, algorithm, record):
        a1 = "%s:%s:%s" % (self.user, self.realm, self.password)
        if not algorithm.upper().endswith("-SESS"):
            return self._hash(algorithm, a1)
        with self.lock:  # the session is made once, of its first nonce and cnonce
            if record["session"] is None:
                record["session"] = self._hash(algorithm, "%s:%s:%s" % (self._hash(algorithm, a1), given["nonce"], given.get("cnonce", "")))
            return record["session"]

    def _response(self, given, algorithm, record, method, uri, body):
        a2 = "%s:%s" % (method, uri)
        if given.get("qop") == "auth-int":
            a2 += ":" + self._hash(algorithm, body)
        middle = [given["nonce"]]
        if "qop" in given:
            middle += [given["nc"], given["cnonce"], given["qop"]]
        return self._hash(algorithm, ":".join([self._a1(given, algorithm, record), *middle, self._hash(algorithm, a2)]))

    def _proof(self, given, algorithm, record, request, names):
        if given.get("realm", "").encode("latin-1", "replace").decode("utf-8", "replace") != self.realm:
            self.fault("realm %r" % given.get("realm"))
        offered = [q.strip() for q in self.qop.split(",")] if self.qop else []
        if offered:
            if given.get("qop") not in offered or not re.fullmatch("[0-9a-f]{8}", given.get("nc", "")) or "cnonce" not in given:
                return self.fault("qop, nc or cnonce wrong: %r" % given) == OK
        elif "qop" in given or "nc" in given:
            self.fault("qop where none was offered")
        if not self._user_matches(given, algorithm):
            return False
        right = self._response(given, algorithm, record, request.method, given["uri"], request.body)
        return hmac.compare_digest(right, given["response"])

    def _info(self, given, algorithm, record, names):
        parts = []
        if self.rspauth and "qop" in given:
            proof = self._response(given, algorithm, record, "", given["uri"], b"")
            parts += ['rspauth="%s"' % ("0" * len(proof) if self.wrong_rspauth else proof)]
            parts += ['cnonce="%s"' % given["cnonce"], "nc=" + given["nc"], "qop=" + given["qop"]]
        if self.next_nonce:
            following = self.new_nonce()
            with self.lock:
                self.nonces[following]["session"] = record["session"]
            parts.append('nextnonce="%s"' % following)
        if "qop" in given and given["qop"] == "auth-int":
            parts = [part for part in parts if not part.startswith("rspauth")]  # its proof would cover the answer's body
        return ["%s: %s" % (names.info, ", ".join(parts))] if parts else []


def _percent(text):
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes((int(m.group(1), 16),)), text.encode()).decode("utf-8")


class Ntlm(Gate):
    """type2: text of the base64 to send instead of an honest Type 2. name: the scheme's name (raw NTLM under Negotiate exists too)."""

    scheme = "NTLM"
    binds = True
    type2 = None
    domain = None
    close_after_type2 = False

    def __init__(self, *arguments, **options):
        self.messages = []  # Type3 of every attempt
        self.firsts = 0
        super().__init__(*arguments, **options)

    def challenges(self):
        return [self.scheme]

    def check(self, conn, request, value, names):
        try:
            message = base64.b64decode(value, validate=True)
        except ValueError:
            return self.fault("token %r" % value), []
        if ntlm.kind(message) == 1:
            challenge = os.urandom(8)
            answer = ntlm.type2(challenge, flags=ntlm.type2_flags(message))
            conn.ntlm = (message, challenge, answer)
            with self.lock:
                self.firsts += 1
            text = self.type2 if self.type2 is not None else base64.b64encode(answer).decode()
            if self.close_after_type2:
                conn.close_next = True
            return MORE, ["%s: %s %s" % (names.challenge, self.scheme, text)]
        state, conn.ntlm = getattr(conn, "ntlm", None), None
        try:
            third = ntlm.Type3(message)
        except (ValueError, ntlm.NtlmError) as error:
            return self.fault("neither Type 1 nor Type 3: %s" % error), []
        with self.lock:
            self.messages.append(third)
        if state is None:
            self.fault("Type 3 without a Type 2 on this connection")
            return (NO if self.count(False) else NO), []
        first, challenge, second = state
        good = third.user == self.user and (self.domain is None or third.domain == self.domain)
        return (OK if self.count(good and third.verify(self.password, challenge, first, second)) else NO), []


class Negotiate(Gate):
    """SPNEGO with NTLM inside, through the GSSAPI acceptor; the final answer carries its last token."""

    scheme = "Negotiate"
    binds = True
    final_token = True
    binding = None

    def __init__(self, *arguments, **options):
        self.seen = []  # decoded tokens
        super().__init__(*arguments, **options)

    def challenges(self):
        return ["Negotiate"]

    def check(self, conn, request, value, names):
        try:
            token = base64.b64decode(value, validate=True)
        except ValueError:
            return self.fault("token %r" % value), []
        with self.lock:
            self.seen.append(token)
        if getattr(conn, "gss", None) is None:
            conn.gss = gssaccept.Acceptor("CORP", self.user, self.password, self.binding)
        final = ntlm.kind(ntlm.find(token)) == 3
        state, answer = conn.gss.step(token)
        if final:
            self.count(state == gssaccept.DONE)
        if state == gssaccept.REFUSED:
            conn.gss = None
            return NO, []
        line = ["%s: Negotiate %s" % (names.challenge, base64.b64encode(answer).decode())] if answer else []
        if state == gssaccept.DONE:
            conn.gss = None
            return OK, line if self.final_token else []
        return MORE, line


def honest(token):
    return ["Proxy-Authenticate: Negotiate " + base64.b64encode(token).decode()]


class Kerberos(Gate):
    """Negotiate with tickets for HTTP/proxy.corp.example of a realm (lib/realm.py), whose keytab is given. final: makes the fields of the
    answer that lets in, of the acceptor's last token."""

    scheme = "Negotiate"
    binds = True
    service = "HTTP/proxy.corp.example"
    keytab = None

    def __init__(self, **options):
        self.final = options.pop("final", honest)
        super().__init__(**options)

    def challenges(self):
        return ["Negotiate"]

    def check(self, conn, request, value, names):
        import realm  # and GSSAPI, which the other gates do without
        acceptor = realm.Acceptor("Negotiate", realm.SPNEGO, self.keytab)
        if acceptor.take("Negotiate " + value) is not None:
            self.count(False)
            return self.fault("a token that was not accepted"), []
        self.count(True)
        return OK, self.final(acceptor.final)
