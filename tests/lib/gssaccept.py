"""The acceptor's side of SPNEGO with NTLM inside, by GSSAPI and gss-ntlmssp, in this process. Needs python3-gssapi and gss-ntlmssp."""

import atexit
import os
import shutil
import tempfile
import threading

MORE, DONE, REFUSED = "more", "done", "refused"

_lock = threading.Lock()
_users = {}
_file = None
_gssapi = None


def _load():
    global _file, _gssapi
    if _gssapi is None:
        import gssapi
        import gssapi.raw
        directory = tempfile.mkdtemp(prefix="exeat-test-gss-")
        atexit.register(shutil.rmtree, directory, True)
        _file = os.path.join(directory, "users")
        os.environ["NTLM_USER_FILE"] = _file  # read by gss-ntlmssp at each acceptance
        os.environ.setdefault("KRB5_KTNAME", os.path.join(directory, "no-keytab"))
        _gssapi = gssapi
    return _gssapi


def available():
    try:
        with _lock:
            _load()
        return True
    except ImportError:
        return False


class Acceptor:
    """One handshake. step(token) answers (MORE | DONE | REFUSED, token)."""

    def __init__(self, domain, user, password, binding=None):
        """binding: the application data of the channel binding that a client must have used, if it used one."""
        with _lock:
            gssapi = _load()
            line = "%s:%s:%s\n" % (domain, user, password)
            if _users.get((domain, user)) != line:
                _users[(domain, user)] = line
                with open(_file, "w", encoding="utf-8") as file:
                    file.writelines(_users.values())
                os.chmod(_file, 0o600)
            spnego = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
            credential = gssapi.raw.acquire_cred(None, mechs=[spnego], usage="accept").creds
            self.context = gssapi.SecurityContext(creds=gssapi.Credentials(base=credential), usage="accept",
                                                  channel_bindings=binding and gssapi.raw.ChannelBindings(application_data=binding))
        self.name = None

    def step(self, token):
        with _lock:
            try:
                answer = self.context.step(token)
                if self.context.complete:  # raises what step() kept back where there was a token to send
                    self.name = str(self.context.initiator_name)
                    return DONE, answer or b""
            except _gssapi.exceptions.GSSError:
                return REFUSED, b""
            return MORE, answer or b""
