"""The practice origin server: a page, a git repository and an npm registry with one package, for names below practice.example.

Only the practice proxy knows those names; for everybody else they do not exist, as outside names behind a company's proxy."""

import base64
import hashlib
import http.server
import io
import json
import os
import subprocess
import tarfile
import threading

PAGE = b"You are outside. This page came through the practice proxy.\n"
GIT_BACKEND = "/usr/lib/git-core/git-http-backend"
PACKAGE = "exeat-practice"


def make_repository(folder):
    """folder/garden.git with one commit."""
    work = os.path.join(folder, "work")
    os.makedirs(work)
    environment = dict(os.environ, HOME=folder, GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=os.devnull,
                       GIT_AUTHOR_NAME="Practice", GIT_AUTHOR_EMAIL="practice@practice.example",
                       GIT_COMMITTER_NAME="Practice", GIT_COMMITTER_EMAIL="practice@practice.example")

    def git(*words, cwd=work):
        subprocess.run(["git", *words], cwd=cwd, env=environment, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    git("init", "--quiet", "--initial-branch=main", ".")
    with open(os.path.join(work, "README"), "w", encoding="utf-8") as file:
        file.write("A garden behind a proxy.\n")
    git("add", "README")
    git("commit", "--quiet", "-m", "Plant a garden")
    git("clone", "--quiet", "--bare", work, os.path.join(folder, "garden.git"), cwd=folder)


def make_package():
    """A tarball as npm wants it, and what a registry says about it."""
    manifest = {"name": PACKAGE, "version": "1.0.0", "main": "index.js", "description": "came through the practice proxy"}
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, text in (("package.json", json.dumps(manifest)), ("index.js", "module.exports = 'outside';\n")):
            info = tarfile.TarInfo("package/" + name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    tarball = data.getvalue()
    path = "/%s/-/%s-1.0.0.tgz" % (PACKAGE, PACKAGE)
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    dist = {"tarball": "http://npm.practice.example" + path, "integrity": integrity}
    document = {"name": PACKAGE, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": dict(manifest, dist=dist)}}
    return {"/" + PACKAGE: ("application/json", json.dumps(document).encode()), path: ("application/octet-stream", tarball)}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes
    repositories = None  # folder
    package = make_package()

    def do_GET(self):
        name = self.headers.get("Host", "").split(":")[0]
        if name == "git.practice.example":
            self.git()
        elif name == "npm.practice.example" and self.path in self.package:
            self.answer(200, *self.package[self.path])
        elif self.path == "/":
            self.answer(200, "text/plain", PAGE)
        else:
            self.answer(404, "text/plain", b"There is no such page.\n")

    def do_POST(self):
        if self.headers.get("Host", "").startswith("git."):
            self.git()
        else:
            self.answer(405, "text/plain", b"Only for git.\n")

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def git(self):
        """One run of git's own CGI program."""
        path, _, query = self.path.partition("?")
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self.read_chunked()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        environment = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": self.repositories, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
                       "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                       "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                       "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_NOSYSTEM": "1", "HOME": self.repositories}
        answer = subprocess.run([GIT_BACKEND], input=body, env=environment, check=True, capture_output=True).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.answer(int(fields.get("Status", "200").split()[0]), fields.get("Content-Type", "text/plain"), content)

    def read_chunked(self):
        parts = []
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            parts.append(self.rfile.read(size))
            self.rfile.readline()
            if size == 0:
                return b"".join(parts)

    def log_message(self, *_):
        pass


def start(folder):
    """Serves on a free port of the loopback interface, in threads of this process. Returns the port."""
    os.makedirs(folder)
    make_repository(folder)
    handler = type("PracticeHandler", (Handler,), {"repositories": folder})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]
