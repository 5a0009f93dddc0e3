"""What the lab looks like: names, addresses, ports, people, places. Facts only; every other file here reads them.

    client side                             server side
    10.53.1.100 eth0  ------- veth -------  10.53.1.2  dc1.lab.example      Samba AD DC: DNS, Kerberos, LDAP, NTLM
    DNS: 10.53.1.2, search lab.example      10.53.1.3  proxy.lab.example    Squids
    default realm LAB.EXAMPLE               10.53.1.4  kdc.corp.example     MIT KDC
    no route and no name for the origin     10.53.1.5  proxy.corp.example   Squid of the MIT realm
                                            10.53.1.6  nospn.lab.example    the Squids again; no KDC knows this name
                                            10.53.2.10 origin.example       origin server, on the server side's lo
"""

import os

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"  # the one that has python3-samba and python3-gssapi

# --- places, all on a tmpfs over /run that only the lab sees
LAB = "/run/lab"
TMP = LAB + "/tmp"
HOME = LAB + "/home"
CLIENT_ETC = LAB + "/client-etc"
SERVER_ETC = LAB + "/server-etc"
CA_CERT = LAB + "/ca/ca.pem"
CA_BUNDLE = LAB + "/ca/bundle.pem"
AD = LAB + "/ad"
SMB_CONF = AD + "/etc/smb.conf"
SAM_LDB = AD + "/private/sam.ldb"
KDC = LAB + "/kdc"
SQUID = LAB + "/squid"
ORIGIN = LAB + "/origin"
ORIGIN_LOG = ORIGIN + "/requests.jsonl"
LOGS = LAB + "/log"
GSS_SPNEGO_SOCKET = LAB + "/gss-spnego.socket"
KEYTAB_LAB = SQUID + "/lab.keytab"
KEYTAB_CORP = SQUID + "/corp.keytab"

# --- the network
CLIENT = "10.53.1.100"
DC, PROXY, KDC_CORP, PROXY_CORP, PROXY_NO_SPN = "10.53.1.2", "10.53.1.3", "10.53.1.4", "10.53.1.5", "10.53.1.6"
ORIGIN_ADDRESS = "10.53.2.10"
SERVER_ADDRESSES = (DC, PROXY, KDC_CORP, PROXY_CORP, PROXY_NO_SPN)
HOSTS = {"dc1.lab.example": DC, "proxy.lab.example": PROXY, "kdc.corp.example": KDC_CORP, "proxy.corp.example": PROXY_CORP}
# Names of one and the same origin server, known on the server side only. Squid's rules for the last three: squids.py.
BLOCKED, BLOCKED_TOO, FORBIDDEN, EXEMPT = "blocked.example", "blocked-too.example", "forbidden.example", "exempt.example"
ORIGIN_NAMES = ("origin.example", "www.origin.example", BLOCKED, BLOCKED_TOO, FORBIDDEN, EXEMPT)
RAW_AFTER_EOF, RAW_SPEAKS_FIRST, RAW_ECHO = 7007, 7008, 7009

# --- realms and people
REALM, DOMAIN, DNS_DOMAIN = "LAB.EXAMPLE", "LAB", "lab.example"
CORP_REALM = "CORP.EXAMPLE"
ADMIN_PASSWORD = "Adm1n-Passw0rd!"
PASSWORDS = {
    "alice": "Al1ce-Pass!",
    "bob": "Bär: \"süß\" 'x' \\ 100% Ö",
    "jürgen": "Grüße-2024!",
    "lockme": "L0ck-me-Pass",
    "lockme2": "L0ck-me-Pass",
    "lockme3": "L0ck-me-Pass",
    "disabled": "Al1ce-Pass!",
    "mustchange": "Al1ce-Pass!",
}
WRONG_PASSWORD = "Not-the-Pass-1"
FILE_USERS = ("alice", "bob", "jürgen", "lockme")  # Basic and Digest password files
CORP_USERS = ("alice", "brief")  # brief: tickets of 10 s
CORP_PASSWORDS = {"alice": "Al1ce-Pass!", "brief": "Al1ce-Pass!"}
LOCKOUT_THRESHOLD, LOCKOUT_MINUTES = 5, 30

SPN_LAB, SPN_CORP = "HTTP/proxy.lab.example", "HTTP/proxy.corp.example"

# --- the Squids
PORTS = {
    "none": 3128,
    "basic": 3129,
    "digest": 3130,
    "krb": 3131,
    "ntlm": 3132,
    "multi": 3133,
    "tls": 3134,
    "spnego": 3135,
    "mit": 3136,
    "ntlm-close": 3137,
    "digest-strict": 3138,
}
SOCKS_OPEN, SOCKS_ASKS = 1080, 1081  # on PROXY: without authentication, and with alice's password of the file users
PROXY_NAMES = {kind: "proxy.corp.example" if kind == "mit" else "proxy.lab.example" for kind in PORTS}
PROXY_REALM = "Lab proxy"
