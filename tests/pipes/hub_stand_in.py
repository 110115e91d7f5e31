"""A stand-in for the Hugging Face Hub: a real HTTP server on this machine that speaks as much of its API as loading a model asks for.

It serves folders as repositories, and does on command what the real one does on bad days. The unmodified huggingface_hub talks to it
through HF_ENDPOINT.
"""

import hashlib
import json
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

API = re.compile(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?$")
FILE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")
LARGE = (".safetensors", ".bin", ".ckpt")  # kept in large file storage, where a file's name is the SHA-256 of what it holds
CHUNK = 1 << 14
REASONS = {  # what the real Hub says with a status: (X-Error-Code, X-Error-Message)
    401: ("RepoNotFound", "Invalid username or password."),
    403: ("GatedRepo", "Access to this model is restricted and you are not in the authorized list."),
    404: ("RepoNotFound", "Repository not found"),
    429: (None, "We had to rate limit your IP."),
    500: (None, "Internal Error - We're working hard to fix this as soon as possible!"),
}


@dataclass
class Fault:
    """What goes wrong, where, and how often.

    Args:
        kind: a status, or "cut" (the connection ends in the middle of a file), "slow", "short" (the file has fewer bytes than was said),
            "damaged" (as many bytes, others).
        where: a regular expression that the request's path matches.
        times: how often; then all is well again.
        wait: of a 429, the seconds of its Retry-After.
    """

    kind: int | str
    where: str = ""
    times: int = 1
    wait: int | None = None
    methods: tuple = ("GET", "HEAD")  # in files only what is sent goes wrong, not what was said of them


@dataclass
class HubStandIn:
    """The server. Use it in a `with` block; `url` is its HF_ENDPOINT, and `asked` the requests that came."""

    repos: dict = field(default_factory=dict)  # "owner/name" → folder
    faults: list = field(default_factory=list)
    asked: list = field(default_factory=list)

    connections: list = field(default_factory=list)
    port: int = 0  # any free one

    def __enter__(self):
        stand_in = self

        class Handler(Answering):
            hub = stand_in

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:  # those that a client keeps for later
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    @property
    def url(self):
        """What HF_ENDPOINT has to be."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def out_of_reach(self):
        """Nobody listens for a while."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def commit(self, repo, asked="main"):
        """The commit's hash that was asked for; of a branch, one that changes with the files."""
        if re.fullmatch("[0-9a-f]{40}", asked):
            return asked
        names = "".join(f"{path} {path.stat().st_size}" for path in self.files(repo).values())
        return hashlib.sha1(names.encode()).hexdigest()

    def files(self, repo):
        """`{name in the repository: file}`."""
        folder = Path(self.repos[repo])
        return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}

    def take_fault(self, method, path):
        """The next fault that this request meets, or None."""
        for fault in self.faults:
            if fault.times > 0 and method in fault.methods and re.search(fault.where, path):
                fault.times -= 1
                return fault
        return None


class Answering(BaseHTTPRequestHandler):
    """Answers one request of a `HubStandIn`."""

    protocol_version = "HTTP/1.1"
    hub = None

    def setup(self):
        """Remember the connection."""
        super().setup()
        self.hub.connections.append(self.connection)

    def log_message(self, *_):
        """Say nothing."""

    def do_HEAD(self):
        """Headers only."""
        self._answer()

    def do_GET(self):
        """The listing of a repository, or a file of it."""
        self._answer()

    def _answer(self):
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path))
        fault = self.hub.take_fault(self.command, path)
        if fault and isinstance(fault.kind, int):
            self._refuse(fault.kind, *REASONS[fault.kind], wait=fault.wait)
        elif (found := API.match(path)) and found[1] in self.hub.repos:
            self._list(*found.groups())
        elif (found := FILE.match(path)) and found[1] in self.hub.repos:
            self._send_file(*found.groups(), fault)
        else:
            self._refuse(404, *REASONS[404])

    def _refuse(self, status, code, message, wait=None):
        body = json.dumps({"error": message}).encode()
        self.send_response(status)
        more = {"X-Error-Code": code, "X-Error-Message": message, "Retry-After": wait}
        for name, value in more.items():
            if value is not None:
                self.send_header(name, str(value))
        self._send(body, "application/json")

    def _send(self, body, kind):
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _list(self, repo, what, revision):
        files, commit = self.hub.files(repo), self.hub.commit(repo, revision or "main")
        if what == "tree":
            listed = [
                {"type": "file", "path": name, "size": path.stat().st_size, "oid": _git(path)}
                | ({"lfs": {"oid": _sha256(path), "size": path.stat().st_size, "pointerSize": 134}} if name.endswith(LARGE) else {})
                for name, path in files.items()
            ]
        else:
            listed = {
                "_id": "0" * 24, "id": repo, "modelId": repo, "sha": commit, "private": False, "gated": False, "disabled": False,
                "downloads": 0, "likes": 0, "tags": [], "siblings": [{"rfilename": name} for name in files],
            }  # fmt: skip
        self.send_response(200)
        self.send_header("X-Repo-Commit", commit)
        self._send(json.dumps(listed).encode(), "application/json")

    def _send_file(self, repo, revision, name, fault):
        path = self.hub.files(repo).get(name)
        if path is None:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        body = path.read_bytes()
        first = int(re.match(r"bytes=(\d+)-", self.headers["Range"])[1]) if "Range" in self.headers else 0
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        digest = _sha256(path) if name.endswith(LARGE) else _git(path)
        headers = {"X-Repo-Commit": self.hub.commit(repo, revision), "ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
        if name.endswith(LARGE):
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": len(body)}
        for key, value in headers.items():
            self.send_header(key, str(value))
        if fault and fault.kind == "damaged":
            middle = len(body) // 2
            body = body[:middle] + bytes(255 - byte for byte in body[middle : middle + 64]) + body[middle + 64 :]
            body = bytes(255 - byte for byte in body[:64]) + body[64:]  # in the header too, so that it cannot be read
        body = body[first:]
        if fault and fault.kind == "short":
            body = body[: len(body) // 2]
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self._write(body, fault)

    def _write(self, body, fault):
        if fault and fault.kind == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        for start in range(0, len(body), CHUNK):
            self.wfile.write(body[start : start + CHUNK])
            if fault and fault.kind == "slow":
                self.wfile.flush()
                time.sleep(0.05)


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _git(path):
    """The hash that git gives a file."""
    body = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
