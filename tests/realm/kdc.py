"""The second realm, CORP.EXAMPLE, on a plain MIT KDC; and the krb5.conf of both sides."""

import os
import subprocess

import world

_KRB5_CONF = """[libdefaults]
default_realm = {realm}
dns_lookup_kdc = true
dns_lookup_realm = false
ticket_lifetime = 10h

[realms]
LAB.EXAMPLE = {{
    kdc = {dc}
}}
CORP.EXAMPLE = {{
    kdc = {kdc}
}}

[domain_realm]
.lab.example = LAB.EXAMPLE
.corp.example = CORP.EXAMPLE
"""

_KDC_CONF = """[kdcdefaults]
kdc_listen = {kdc}:88
kdc_tcp_listen = {kdc}:88

[realms]
CORP.EXAMPLE = {{
    database_name = {directory}/principal
    key_stash_file = {directory}/stash
    acl_file = {directory}/kadm5.acl
    max_life = 10h
    max_renewable_life = 7d
    default_principal_flags = +preauth
}}

[logging]
kdc = FILE:{logs}/krb5kdc.log
admin_server = FILE:{logs}/kadmin.log
"""


def write_client_conf(path, realm=world.REALM):
    with open(path, "w") as file:
        file.write(_KRB5_CONF.format(realm=realm, dc=world.DC, kdc=world.KDC_CORP))


def environment():
    return dict(os.environ, KRB5_CONFIG=world.KDC + "/krb5.conf", KRB5_KDC_PROFILE=world.KDC + "/kdc.conf")


def create():
    os.makedirs(world.KDC, mode=0o700)
    write_client_conf(world.KDC + "/krb5.conf", world.CORP_REALM)
    with open(world.KDC + "/kdc.conf", "w") as file:
        file.write(_KDC_CONF.format(kdc=world.KDC_CORP, directory=world.KDC, logs=world.LOGS))
    with open(world.KDC + "/kadm5.acl", "w"):
        pass
    commands = ['addprinc -randkey %s' % world.SPN_CORP]
    for user in world.CORP_USERS:
        life = "-maxlife 10s " if user == "brief" else ""
        commands.append('addprinc %s-pw "%s" %s' % (life, world.CORP_PASSWORDS[user], user))
    commands.append("ktadd -k %s %s" % (world.KEYTAB_CORP, world.SPN_CORP))
    with open(world.LOGS + "/kdc-create.log", "w") as log:
        subprocess.run(["kdb5_util", "create", "-s", "-r", world.CORP_REALM, "-P", "master-of-the-lab"], check=True, env=environment(),
                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        subprocess.run(["kadmin.local", "-r", world.CORP_REALM], check=True, env=environment(), input="\n".join(commands) + "\n", text=True,
                       stdout=log, stderr=log)
    if not os.path.exists(world.KEYTAB_CORP):
        raise RuntimeError("kadmin.local made no keytab: " + open(world.LOGS + "/kdc-create.log").read())


def start():
    with open(world.LOGS + "/krb5kdc.stdout", "w") as log:
        subprocess.Popen(["krb5kdc", "-n", "-r", world.CORP_REALM], env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
