"""The Active Directory domain LAB.EXAMPLE: made by samba-tool, filled straight through sam.ldb before the first start (that takes a third of
a second; a samba-tool call for each user would take one), then run by samba. `python3 directory.py fill` is the filling, in a process of
its own because the modules are heavy."""

import grp
import os
import subprocess
import sys

import world

_BASE = """[global]
server role = active directory domain controller
server services = rpc, ldap, cldap, kdc, winbindd, dns
dcerpc endpoint servers = epmapper, wkssvc, samr, netlogon, lsarpc, drsuapi, dssetup, unixinfo, backupkey
interfaces = {dc}/24
bind interfaces only = yes
disable netbios = yes
prefork children = 2
ntlm auth = ntlmv2-only
log file = {logs}/samba.log
log level = 1 auth_audit:3
"""

# Zeros do not survive the provisioning, and it makes the server its own forwarder: written into the result instead.
_AFTERWARDS = """
old password allowed period = 0
max log size = 0
"""


def provision():
    os.makedirs(world.AD)
    base = world.AD + "/base.conf"
    with open(base, "w") as file:
        file.write(_BASE.format(dc=world.DC, logs=world.LOGS))
    command = ["samba-tool", "domain", "provision", "--configfile=" + base, "--targetdir=" + world.AD, "--realm=" + world.REALM,
               "--domain=" + world.DOMAIN, "--server-role=dc", "--dns-backend=SAMBA_INTERNAL", "--adminpass=" + world.ADMIN_PASSWORD,
               "--host-name=dc1", "--host-ip=" + world.DC]
    with open(world.LOGS + "/provision.log", "w") as log:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        with open(world.SMB_CONF, "r+") as file:
            made = [line for line in file.read().split("\n") if not line.strip().startswith("dns forwarder")]
            file.seek(0)
            file.truncate()
            file.write("\n".join(made).replace("[global]\n", "[global]" + _AFTERWARDS, 1))
        subprocess.run([world.PYTHON, os.path.join(world.HERE, "directory.py"), "fill"], check=True, stdin=subprocess.DEVNULL, stdout=log,
                       stderr=log)
    # Squid's helpers (user proxy) may talk to winbind.
    privileged = world.AD + "/state/winbindd_privileged"
    os.makedirs(privileged, exist_ok=True)
    os.chown(privileged, 0, grp.getgrnam("proxy").gr_gid)
    os.chmod(privileged, 0o750)


def start():
    with open(world.LOGS + "/samba.stdout", "w") as log:
        subprocess.Popen(["samba", "--configfile=" + world.SMB_CONF, "--foreground", "--no-process-group"], stdin=subprocess.DEVNULL,
                         stdout=log, stderr=log)


def export_keytab():
    subprocess.run(["samba-tool", "domain", "exportkeytab", world.KEYTAB_LAB, "--configfile=" + world.SMB_CONF,
                    "--principal=" + world.SPN_LAB], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def is_ready():
    return subprocess.run(["wbinfo", "--ping-dc"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def open_database():
    """The directory's own database, as system; also while samba runs."""
    from samba.auth import system_session
    from samba.param import LoadParm
    from samba.samdb import SamDB

    parameters = LoadParm()
    parameters.load(world.SMB_CONF)
    return SamDB(url=world.SAM_LDB, session_info=system_session(), lp=parameters)


def _ticks(minutes):
    return str(-minutes * 60 * 10000000)


def _change(ldb, database, dn, **values):
    message = ldb.Message(ldb.Dn(database, dn))
    for name, value in values.items():
        message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
    database.modify(message)


def _fill_accounts(ldb, database):
    base = str(database.domain_dn())
    _change(ldb, database, base, lockoutThreshold=str(world.LOCKOUT_THRESHOLD), lockoutDuration=_ticks(world.LOCKOUT_MINUTES),
            lockOutObservationWindow=_ticks(world.LOCKOUT_MINUTES), minPwdAge="0")
    for user, password in world.PASSWORDS.items():
        database.newuser(user, password)
    users = {str(m["sAMAccountName"]): str(m.dn) for m in database.search(base, expression="(objectClass=user)", attrs=["sAMAccountName"])}
    _change(ldb, database, users["disabled"], userAccountControl="514")
    _change(ldb, database, users["mustchange"], pwdLastSet="0")
    message = ldb.Message(ldb.Dn(database, users["DC1$"]))
    message["servicePrincipalName"] = ldb.MessageElement([world.SPN_LAB], ldb.FLAG_MOD_ADD, "servicePrincipalName")
    database.modify(message)


def _fill_names(ldb, database):
    from samba.dcerpc import dnsp
    from samba.ndr import ndr_pack
    from samba.provision import sambadns

    container = "CN=MicrosoftDNS,DC=DomainDnsZones,%s" % database.domain_dn()

    def node(zone, name, *records):
        message = ldb.Message(ldb.Dn(database, "DC=%s,DC=%s,%s" % (name, zone, container)))
        message["objectClass"] = ["top", "dnsNode"]
        message["dnsRecord"] = ldb.MessageElement([ndr_pack(record) for record in records], ldb.FLAG_MOD_ADD, "dnsRecord")
        database.add(message)

    def zone(name):
        message = ldb.Message(ldb.Dn(database, "DC=%s,%s" % (name, container)))
        message["objectClass"] = ["top", "dnsZone"]
        message["dNSProperty"] = ldb.MessageElement([ndr_pack(sambadns.TypeProperty())], ldb.FLAG_MOD_ADD, "dNSProperty")
        database.add(message)
        node(name, "@", sambadns.SOARecord("dc1.lab.example", "hostmaster.lab.example"), sambadns.NSRecord("dc1.lab.example"))

    def pointer(name):
        record = sambadns.CNAMERecord(name)
        record.wType = dnsp.DNS_TYPE_PTR
        record.data = name
        return record

    zone("corp.example")
    zone("1.53.10.in-addr.arpa")
    for name, address in world.HOSTS.items():
        host, domain = name.split(".", 1)
        if host != "dc1":
            node(domain, host, sambadns.ARecord(address))
        node("1.53.10.in-addr.arpa", address.rsplit(".", 1)[1], pointer(name))
    node(world.DNS_DOMAIN, "proxy-alias", sambadns.CNAMERecord("proxy.lab.example"))
    # No principal has this name, and no pointer leads from its address to a better one.
    node(world.DNS_DOMAIN, "nospn", sambadns.ARecord(world.PROXY_NO_SPN))


def fill():
    import ldb

    database = open_database()
    database.transaction_start()
    _fill_accounts(ldb, database)
    _fill_names(ldb, database)
    database.transaction_commit()


if __name__ == "__main__" and sys.argv[1:] == ["fill"]:
    fill()
