"""The Squids: one process for each kind of authentication, a table and a template."""

import hashlib
import os
import shutil
import subprocess

import world

_NTLM_AUTH = "/usr/bin/ntlm_auth --configfile={smb} --helper-protocol=".format(smb=world.SMB_CONF)
_KERBEROS = "/usr/lib/squid/negotiate_kerberos_auth -t none -k {keytab} -s {spn}@{realm}"
_KERBEROS_LAB = _KERBEROS.format(keytab=world.KEYTAB_LAB, spn=world.SPN_LAB, realm=world.REALM)
_KERBEROS_CORP = _KERBEROS.format(keytab=world.KEYTAB_CORP, spn=world.SPN_CORP, realm=world.CORP_REALM)

_BASIC_FILE = """
auth_param basic program /usr/lib/squid/basic_ncsa_auth {squid}/basic.passwd
auth_param basic children 5 startup=0 idle=1
auth_param basic utf8 on
auth_param basic credentialsttl 2 seconds
auth_param basic realm {realm}
""".format(squid=world.SQUID, realm=world.PROXY_REALM)

_BASIC_AD = """
auth_param basic program {ntlm_auth}squid-2.5-basic
auth_param basic children 10 startup=0 idle=1
auth_param basic utf8 on
auth_param basic credentialsttl 2 seconds
auth_param basic realm {realm}
""".format(ntlm_auth=_NTLM_AUTH, realm=world.PROXY_REALM)

_DIGEST = """
auth_param digest program /usr/lib/squid/digest_file_auth -c {squid}/digest.passwd
auth_param digest children 5 startup=0 idle=1
auth_param digest utf8 on
auth_param digest nonce_max_count 50
auth_param digest realm {realm}
""".format(squid=world.SQUID, realm=world.PROXY_REALM)

_NTLM = """
auth_param ntlm program {ntlm_auth}squid-2.5-ntlmssp
auth_param ntlm children 100 startup=0 idle=2
""".format(ntlm_auth=_NTLM_AUTH)


def _negotiate(program, children=30):
    return "auth_param negotiate program %s\nauth_param negotiate children %d startup=0 idle=2\n" % (program, children)


_WRAPPER = "/usr/lib/squid/negotiate_wrapper_auth --kerberos %s --ntlm %ssquid-2.5-ntlmssp" % (_KERBEROS_LAB, _NTLM_AUTH)

# The order is the order of the challenges.
_AUTH = {
    "none": "",
    "basic": _BASIC_FILE,
    "digest": _DIGEST,
    "digest-strict": _DIGEST + "auth_param digest nonce_strictness on\n",
    "krb": _negotiate(_KERBEROS_LAB),
    "ntlm": _NTLM,
    "ntlm-close": _NTLM + "auth_param ntlm keep_alive off\n",
    "multi": _negotiate(_WRAPPER) + _NTLM + _BASIC_AD,
    "tls": _negotiate(_KERBEROS_LAB) + _BASIC_AD,
    "spnego": _negotiate("/usr/bin/socat STDIO UNIX-CONNECT:" + world.GSS_SPNEGO_SOCKET, 100),
    "mit": _negotiate(_KERBEROS_CORP),
}

# What a line of the access log holds, as JSON would have it but for the quoting that Squid does: see Lab.squid_log().
_LOG_FORMAT = "logformat lab %ts.%03tu %>a:%>p %>Hs %rm %ru %un %Ss %{Proxy-Authorization}>h"

_TEMPLATE = """
visible_hostname proxy.lab.example
unique_hostname {kind}.proxy.lab.example
pid_filename none
cache_effective_user proxy
{listen}
{auth}
acl exempt dstdomain {exempt}
acl blocked dstdomain {blocked} {blocked_too}
acl forbidden dstdomain {forbidden}
# For Lab.squid_log.
http_access allow manager
{access}
http_access deny all

http_upgrade_request_protocols WebSocket allow all
http_upgrade_request_protocols websocket allow all
request_header_max_size 256 KB
reply_header_max_size 256 KB
# Squid 5.7 takes a full request buffer (512 KB by default) for the end of the client and drops the upload, in one of five of 100 MB.
client_request_buffer_max_size 1000 MB
client_idle_pconn_timeout 5 seconds
shutdown_lifetime 0 seconds
connect_timeout 10 seconds
forward_timeout 10 seconds
dns_timeout 5 seconds
dns_nameservers {dc}
hosts_file /etc/hosts
pinger_enable off
cache deny all
cache_mem 1 MB
max_filedescriptors 8192
coredump_dir none
netdb_filename none
{log_format}
access_log stdio:{logs}/squid-{kind}.access logformat=lab
cache_log {logs}/squid-{kind}.cache
cache_store_log none
"""

_OPEN = "http_access allow all"

# A blocked site whose rule ends in an authentication ACL is refused with 407, good credentials or not; a forbidden one with 403.
# Some go by the name of the program.
_AUTHENTICATED = """acl authed proxy_auth REQUIRED
acl unwelcome browser ^unwelcome
http_access deny unwelcome
http_access allow exempt
http_access deny !authed
http_access deny blocked authed
http_access deny authed forbidden
http_access allow authed"""


def _conf(kind, port, name):
    listen = "http_port %s:%d" % (world.PROXY_CORP, port)
    if kind != "mit":
        listen = "http_port %s:%d\nhttp_port %s:%d" % (world.PROXY, port, world.PROXY_NO_SPN, port)
    if kind == "tls":
        listen = "https_port %s:%d tls-cert=%s/proxy.pem tls-key=%s/proxy.key" % (world.PROXY, port, world.SQUID, world.SQUID)
    return _TEMPLATE.format(kind=name, listen=listen, auth=_AUTH[kind], access=_AUTHENTICATED if _AUTH[kind] else _OPEN, logs=world.LOGS,
                            exempt=world.EXEMPT, blocked=world.BLOCKED, blocked_too=world.BLOCKED_TOO, forbidden=world.FORBIDDEN, dc=world.DC, log_format=_LOG_FORMAT)


def write_password_files():
    with open(world.SQUID + "/basic.passwd", "w") as basic, open(world.SQUID + "/digest.passwd", "w") as digest:
        for user in world.FILE_USERS:
            password = world.PASSWORDS[user]
            crypted = subprocess.run(["openssl", "passwd", "-apr1", "-salt", "labsalt", "-stdin"], input=password + "\n", text=True, check=True,
                                     stdout=subprocess.PIPE).stdout.strip()
            basic.write("%s:%s\n" % (user, crypted))
            ha1 = hashlib.md5(("%s:%s:%s" % (user, world.PROXY_REALM, password)).encode()).hexdigest()
            digest.write("%s:%s:%s\n" % (user, world.PROXY_REALM, ha1))


def write_conf(kind, port, name):
    """`name` is for its logs. Returns the path."""
    path = "%s/%s.conf" % (world.SQUID, name)
    with open(path, "w") as file:
        file.write(_conf(kind, port, name))
    return path


def start(kinds):
    for kind in kinds:
        conf = write_conf(kind, world.PORTS[kind], kind)
        with open("%s/squid-%s.stdout" % (world.LOGS, kind), "w") as log:
            subprocess.Popen(["squid", "-N", "-n", "lab" + kind.replace("-", ""), "-f", conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def start_spnego_service():
    """GSS-SPNEGO wants the machine account's secrets, so ntlm_auth runs as root behind a socket that Squid's user may open."""
    with open(world.LOGS + "/gss-spnego.stdout", "w") as log:
        subprocess.Popen(["socat", "UNIX-LISTEN:%s,fork,mode=666" % world.GSS_SPNEGO_SOCKET, "EXEC:%sgss-spnego" % _NTLM_AUTH],
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def give_to_squid(*paths):
    for path in paths:
        shutil.chown(path, "proxy", "proxy")
        os.chmod(path, 0o600)
