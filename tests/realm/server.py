"""The server side: runs below the init of its own namespaces, makes everything, starts the daemons, says "ready", and watches them."""

import concurrent.futures
import os
import socket
import subprocess
import time

import content
import directory
import kdc
import sandbox
import squids
import world

PATIENCE = float(os.environ.get("EXEAT_LAB_PATIENCE", "120"))  # seconds until a start counts as failed


def ip(*lines):
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)


def _until(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("waited in vain for " + what)
        time.sleep(0.02)


def answers(address, port):
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex((address, port)) == 0


def _enter(go):
    """Names and mounts of this side; then waits for the link and gives it addresses."""
    sandbox.set_host_name("dc1")
    os.makedirs("/run/samba")
    sandbox.mount_tmpfs("/run/samba")  # winbind's socket is no business of the client side's
    sandbox.mount_tmpfs("/dev/shm", "mode=1777")  # where Squid shares memory with itself
    os.makedirs(world.SERVER_ETC)
    with open(world.SERVER_ETC + "/hosts", "w") as hosts:
        hosts.write("127.0.0.1 localhost\n")
        hosts.writelines("%s %s %s\n" % (address, name, name.split(".")[0]) for name, address in world.HOSTS.items())
        hosts.write("%s %s\n" % (world.ORIGIN_ADDRESS, " ".join(world.ORIGIN_NAMES)))
    with open(world.SERVER_ETC + "/resolv.conf", "w") as resolver:
        resolver.write("search %s\nnameserver %s\n" % (world.DNS_DOMAIN, world.DC))
    kdc.write_client_conf(world.SERVER_ETC + "/krb5.conf")
    for name in ("hosts", "resolv.conf", "krb5.conf"):
        sandbox.bind(world.SERVER_ETC + "/" + name, "/etc/" + name)
    if os.read(go, 1) != b"g":
        raise RuntimeError("the client side is gone")
    ip("link set lo up", "address add %s/32 dev lo" % world.ORIGIN_ADDRESS,
       *("address add %s/24 dev eth0" % address for address in world.SERVER_ADDRESSES), "link set eth0 up")


def _make_directory():
    directory.provision()
    directory.start()
    _until("the domain controller", directory.is_ready)
    directory.export_keytab()
    squids.give_to_squid(world.KEYTAB_LAB)
    squids.start_spnego_service()
    _until("GSS-SPNEGO", lambda: os.path.exists(world.GSS_SPNEGO_SOCKET))


def _start_socks():
    pair = ("-u", "alice", "-P", world.PASSWORDS["alice"])
    for port, words in ((world.SOCKS_OPEN, ()), (world.SOCKS_ASKS, pair)):
        with open("%s/socks-%d.stdout" % (world.LOGS, port), "w") as log:
            subprocess.Popen(["microsocks", "-i", world.PROXY, "-p", str(port), *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _make_rest():
    content.make_certificates()
    content.make_repository()
    with open(world.LOGS + "/origin.stdout", "w") as log:
        subprocess.Popen([world.PYTHON, "-B", os.path.join(world.HERE, "origin.py")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    squids.write_password_files()
    squids.start(world.PORTS)
    _start_socks()
    kdc.create()
    kdc.start()
    squids.give_to_squid(world.KEYTAB_CORP)
    for kind, port in world.PORTS.items():
        _until("Squid " + kind, lambda address=world.HOSTS[world.PROXY_NAMES[kind]], port=port: answers(address, port))
    for port in (world.SOCKS_OPEN, world.SOCKS_ASKS):
        _until("the SOCKS server", lambda port=port: answers(world.PROXY, port))
    _until("the origin", lambda: answers(world.ORIGIN_ADDRESS, world.RAW_ECHO))
    _until("the MIT KDC", lambda: answers(world.KDC_CORP, 88))


def run(go, tell):
    """The work of the server side's init. `go` becomes readable when the link is there; `tell` gets "ready" or what went wrong."""
    try:
        _enter(go)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for part in [pool.submit(_make_directory), pool.submit(_make_rest)]:
                part.result()
    except BaseException as error:
        os.write(tell, ("%s: %s" % (type(error).__name__, error)).encode())
        raise
    os.write(tell, b"ready")
    os.close(tell)
    while True:  # no daemon is meant to end
        pid, status = os.wait()
        with open(world.LOGS + "/deaths", "a") as log:
            log.write("process %d ended with status %d\n" % (pid, status))
