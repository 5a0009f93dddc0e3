"""What the origin serves and what both sides trust: a certificate authority, a git repository, an npm package, bytes of any number."""

import base64
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import tarfile
import zipfile

import world

PIECE = 65536
_NOISE = random.Random(20).randbytes(PIECE - 8)


def pieces(size):
    """Bytes that are the same in every run, in pieces; a piece lost, doubled or moved shows, for each begins with its number."""
    for number in range((size + PIECE - 1) // PIECE):
        yield (number.to_bytes(8, "big") + _NOISE)[:min(PIECE, size - number * PIECE)]


def data(size):
    return b"".join(pieces(size))


def sha256(size):
    digest = hashlib.sha256()
    for piece in pieces(size):
        digest.update(piece)
    return digest.hexdigest()


# --- certificates

def make_certificates():
    directory = os.path.dirname(world.CA_CERT)
    os.makedirs(directory)

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    key = directory + "/ca.key"
    openssl("req", "-x509", *curve, "-keyout", key, "-out", world.CA_CERT, "-days", "30", "-subj", "/CN=Lab CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    for folder, name, names in ((world.ORIGIN, "origin", world.ORIGIN_NAMES), (world.SQUID, "proxy", ("proxy.lab.example",))):
        path = folder + "/" + name
        openssl("req", *curve, "-keyout", path + ".key", "-out", path + ".csr", "-subj", "/CN=" + names[0])
        with open(path + ".ext", "w") as extensions:
            extensions.write("subjectAltName=%s\nextendedKeyUsage=serverAuth\n" % ",".join("DNS:" + n for n in names))
        openssl("x509", "-req", "-in", path + ".csr", "-CA", world.CA_CERT, "-CAkey", key, "-CAcreateserial", "-days", "30",
                "-extfile", path + ".ext", "-out", path + ".pem")
    with open(world.CA_BUNDLE, "wb") as bundle:
        for source in ("/etc/ssl/certs/ca-certificates.crt", world.CA_CERT):
            if os.path.exists(source):
                with open(source, "rb") as file:
                    bundle.write(file.read())


# --- git

def make_repository():
    root = world.ORIGIN + "/git"
    work, bare = world.TMP + "/seed", root + "/small.git"
    os.makedirs(root)
    environment = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null")
    for variable in ("AUTHOR", "COMMITTER"):
        environment.update({"GIT_%s_NAME" % variable: "alice", "GIT_%s_EMAIL" % variable: "alice@lab.example"})

    def git(*words):
        subprocess.run(["git", *words], check=True, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    git("init", "-q", "-b", "main", work)
    for name, content in (("README", b"A small repository.\n"), ("noise.bin", data(300000))):
        with open(work + "/" + name, "wb") as file:
            file.write(content)
    git("-C", work, "add", ".")
    git("-C", work, "commit", "-q", "-m", "First")
    git("clone", "-q", "--bare", work, bare)
    git("-C", bare, "config", "http.receivepack", "true")


# --- npm

NPM_NAME, NPM_VERSION = "tiny-lab-package", "1.0.0"


def npm_tarball():
    files = {"package/package.json": json.dumps({"name": NPM_NAME, "version": NPM_VERSION, "main": "index.js"}).encode(),
             "package/index.js": b"module.exports = 'tiny';\n"}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def npm_packument(registry, tarball):
    dist = {"tarball": "%s/%s/-/%s-%s.tgz" % (registry, NPM_NAME, NPM_NAME, NPM_VERSION), "shasum": hashlib.sha1(tarball).hexdigest(),
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()}
    return json.dumps({"name": NPM_NAME, "dist-tags": {"latest": NPM_VERSION},
                       "versions": {NPM_VERSION: {"name": NPM_NAME, "version": NPM_VERSION, "main": "index.js", "dist": dist}}}).encode()


# --- what other package managers ask for: path below /files/ -> bytes

WHEEL, GEM, PHP, GO, NUGET = "tiny-lab-wheel", "tiny-lab-gem", "lab/tiny", "lab.example/tiny", "Tiny.Lab"


def _zip(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()


def _wheel():
    info = "tiny_lab_wheel-1.0.dist-info/"
    return _zip({"tiny_lab_wheel.py": "tiny = True\n", info + "METADATA": "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % WHEEL,
                 info + "WHEEL": "Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n", info + "RECORD": ""})


def _dnf():
    primary = b'<metadata xmlns="http://linux.duke.edu/metadata/common" packages="0"></metadata>'
    packed = gzip.compress(primary, mtime=0)
    return {"dnf/repodata/primary.xml.gz": packed, "dnf/repodata/repomd.xml": (
        '<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision><data type="primary"><checksum type="sha256">%s</checksum>'
        '<open-checksum type="sha256">%s</open-checksum><location href="repodata/primary.xml.gz"/><timestamp>1</timestamp><size>%d</size>'
        '<open-size>%d</open-size></data></repomd>' % (hashlib.sha256(packed).hexdigest(), hashlib.sha256(primary).hexdigest(), len(packed),
                                                       len(primary))).encode()}


def _nuget():
    """A feed of one package, as NuGet 2 asks for it (OData)."""
    spec = ('<package xmlns="http://schemas.microsoft.com/packaging/2010/07/nuspec.xsd"><metadata><id>%s</id><version>1.0.0</version><authors>lab</authors>'
            '<description>tiny</description></metadata></package>' % NUGET)
    package = _zip({NUGET + ".nuspec": spec, "content/tiny.txt": "tiny\n",
                    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="nuspec" '
                                           'ContentType="application/octet"/><Default Extension="txt" ContentType="application/octet"/><Default Extension="rels" '
                                           'ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
                    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
                                   'Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/%s.nuspec" Id="R1"/></Relationships>' % NUGET})
    base = "http://origin.example/files/nuget"
    digest = base64.b64encode(hashlib.sha512(package).digest()).decode()
    entry = ('<entry xml:base="%s/" xmlns="http://www.w3.org/2005/Atom" xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" '
             'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><id>%s/Packages(Id=\'%s\',Version=\'1.0.0\')</id>'
             '<title type="text">%s</title><updated>2024-01-01T00:00:00Z</updated><author><name>lab</name></author>'
             '<content type="application/zip" src="%s/tiny.nupkg"/><m:properties><d:Id>%s</d:Id><d:Version>1.0.0</d:Version>'
             '<d:PackageHash>%s</d:PackageHash><d:PackageHashAlgorithm>SHA512</d:PackageHashAlgorithm>'
             '<d:PackageSize m:type="Edm.Int64">%d</d:PackageSize><d:Published m:type="Edm.DateTime">2024-01-01T00:00:00</d:Published>'
             '<d:IsLatestVersion m:type="Edm.Boolean">true</d:IsLatestVersion></m:properties></entry>' % (base, base, NUGET, NUGET, base, NUGET, digest, len(package)))
    return {"nuget/Packages(Id=%%27%s%%27,Version=%%271.0.0%%27)" % NUGET: entry.encode(), "nuget/tiny.nupkg": package, "nuget/": b"<service/>", "nuget": b"<service/>"}


def files():
    pom = "<project><modelVersion>4.0.0</modelVersion><groupId>lab</groupId><artifactId>parent</artifactId><version>1</version><packaging>pom</packaging></project>"
    module = "module %s\n" % GO
    # Marshal.dump([["tiny-lab-gem", Gem::Version.new("1.0.0"), "ruby"]])
    gems = (b'\x04\b[\x06[\bI"\x11tiny-lab-gem\x06:\x06ETU:\x11Gem::Version[\x06I"\n1.0.0\x06;\x00TI"\truby\x06;\x00T')
    return {
        "simple/%s/" % WHEEL: b'<a href="../../tiny_lab_wheel-1.0-py3-none-any.whl">tiny_lab_wheel-1.0-py3-none-any.whl</a>',
        "tiny_lab_wheel-1.0-py3-none-any.whl": _wheel(),
        "latest_specs.4.8.gz": gzip.compress(gems, mtime=0),
        "specs.4.8.gz": gzip.compress(gems, mtime=0),
        "composer/packages.json": json.dumps({"packages": {PHP: {"1.0.0": {"name": PHP, "version": "1.0.0", "description": "tiny"}}}}).encode(),
        "go/%s/@v/v1.0.0.info" % GO: b'{"Version": "v1.0.0", "Time": "2024-01-01T00:00:00Z"}',
        "go/%s/@v/v1.0.0.mod" % GO: module.encode(),
        "go/%s/@v/v1.0.0.zip" % GO: _zip({"%s@v1.0.0/go.mod" % GO: module, "%s@v1.0.0/tiny.go" % GO: "package tiny\n"}),
        "maven/lab/parent/1/parent-1.pom": pom.encode(),
        "maven/lab/parent/1/parent-1.pom.sha1": hashlib.sha1(pom.encode()).hexdigest().encode(),
        "apt/./Packages": b"Package: tiny-lab-deb\nVersion: 1.0\nArchitecture: all\nMaintainer: Lab <lab@lab.example>\nFilename: ./tiny.deb\nSize: 1\nDescription: tiny\n",
        **_dnf(),
        **_nuget(),
    }


# --- an image for containers: path below /v2/ -> (its kind, bytes)

IMAGE = "lab/tiny:1"
_KIND = "application/vnd.docker.distribution.manifest.v2+json"


def image():
    """One layer: places to mount this machine's directories on."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("usr", "lib", "lib64", "bin", "etc"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
    layer = gzip.compress(out.getvalue(), mtime=0)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(out.getvalue()).hexdigest()]}}).encode()
    blobs = {"sha256:" + hashlib.sha256(blob).hexdigest(): blob for blob in (layer, config)}
    parts = [{"mediaType": kind, "size": len(blobs[name]), "digest": name}
             for name, kind in zip(blobs, ("application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.docker.container.image.v1+json"))]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": _KIND, "config": parts[1], "layers": parts[:1]}).encode()
    name, _, tag = IMAGE.partition(":")
    found = {"": ("application/json", b"{}")}
    for reference in (tag, "sha256:" + hashlib.sha256(manifest).hexdigest()):
        found["%s/manifests/%s" % (name, reference)] = (_KIND, manifest)
    found.update(("%s/blobs/%s" % (name, digest), ("application/octet-stream", blob)) for digest, blob in blobs.items())
    return found
