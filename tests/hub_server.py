"""A small Hugging Face Hub for tests: the part of its protocol that the client uses, on 127.0.0.1.

`.safetensors` files are kept as the Hub keeps large ones: a HEAD of their address is redirected to storage on
another host name, with hash and size in headers. Every commit has an address of its own. On top of that the server
can be told to misbehave: see :class:`Fault`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Fault:
    """What to do wrong for requests whose "METHOD path" matches `pattern`, `times` times (None: always).

    Answer with `status` (and `code` in the Hub's header); or send only `cut` bytes of the body and drop the
    connection; or send `body` in place of the file, honestly declared; or put `headers` in place of the right ones.
    """

    pattern: str
    status: int | None = None
    code: str = ""
    cut: int | None = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    times: int | None = None


@dataclass
class Repository:
    """Commits (path -> content each), branches, and who may read."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    private: bool = False
    moved_to: str | None = None

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Add files to a branch; returns the commit."""
        tree = {**self.commits.get(self.branches.get(branch, ""), {}), **files}
        seed = repr(
            (sorted(self.commits), sorted((k, hashlib.sha256(v).hexdigest()) for k, v in tree.items()))
        )
        commit = hashlib.sha1(seed.encode()).hexdigest()
        self.commits[commit] = tree
        self.branches[branch] = commit
        return commit


class Hub:
    """The server's state, and what it was asked: `requests` holds (method, path, headers)."""

    token = "hf_right"

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.storage: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.lock = threading.Lock()
        self.barrier: threading.Barrier | None = None
        self.pause = 0.0  # seconds between blocks of 64 KiB
        self.endpoint = ""
        self.storage_host = ""

    def put(self, name: str, files: dict[str, bytes], **options: Any) -> str:
        """Commit files to a repository, which is made if need be; returns the commit."""
        repository = self.repositories.setdefault(name, Repository())
        for key, value in options.items():
            setattr(repository, key, value)
        return repository.commit(files)

    def asked(self, pattern: str) -> list[tuple[str, str, dict[str, str]]]:
        """The requests whose "METHOD path" matches."""
        return [request for request in self.requests if re.search(pattern, f"{request[0]} {request[1]}")]

    def fault(self, line: str) -> Fault | None:
        """The first fault that applies to "METHOD path"; it is used up by this."""
        with self.lock:
            for fault in self.faults:
                if re.search(fault.pattern, line) and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    """A running server; its address is `hub.endpoint`."""
    hub = Hub()

    class Bound(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    server.daemon_threads = True
    server.handle_error = lambda request, address: None  # type: ignore[method-assign]  # clients that were killed
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    hub.storage_host = (
        f"http://localhost:{server.server_port}"  # the same server under another name: another host
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.state.lock:
            self.state.requests.append((self.command, path, {k.title(): v for k, v in self.headers.items()}))
        self.broken = self.state.fault(f"{self.command} {path}")
        if self.broken is not None and self.broken.status is not None:
            self.refuse(self.broken.status, self.broken.code)
            return
        for pattern, method in (
            (r"/storage/(\w{64})", self.stored),
            (r"/upload/(\w{64})", self.upload),
            (r"/verify", self.verify),
            (r"/api/validate-yaml", self.validate),
            (r"/api/repos/create", self.create),
            (r"/api/models/([^/]+/[^/]+)/branch/(.+)", self.branch),
            (r"/api/models/([^/]+/[^/]+)/preupload/([^/]+)", self.preupload),
            (r"/api/models/([^/]+/[^/]+)/commit/([^/]+)", self.commit),
            (r"/api/models/([^/]+/[^/]+)/tree/([^/]+)(?:/(.*))?", self.tree),
            (r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", self.info),
            (r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self.batch),
            (r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.resolve),
        ):
            match = re.fullmatch(pattern, path)
            if match:
                method(body, *match.groups())
                return
        self.refuse(404)

    # -- reading ------------------------------------------------------------------------------------------------

    def readable(self, name: str, revision: str | None) -> tuple[Repository, str] | None:
        """The repository and the commit, or None after an answer that says why not."""
        repository = self.state.repositories.get(name)
        if repository is None or (repository.private and not self.authorised()):
            self.refuse(404 if self.authorised() else 401, "RepoNotFound")
            return None
        if repository.moved_to is not None:
            address = self.path.replace(name, repository.moved_to, 1)
            self.reply(307, b"", {"Location": address})
            return None
        commit = repository.branches.get(revision or "main", revision or "")
        if commit not in repository.commits:
            self.refuse(404, "RevisionNotFound")
            return None
        return repository, commit

    def authorised(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.state.token}"

    def resolve(self, body: bytes, name: str, revision: str, file: str) -> None:
        if self.state.barrier is not None and self.command == "HEAD":
            self.state.barrier.wait(30)
        found = self.readable(name, revision)
        if found is None:
            return
        repository, commit = found
        data = repository.commits[commit].get(file)
        if data is None:
            self.refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
        elif file.endswith(".safetensors"):
            digest = hashlib.sha256(data).hexdigest()
            self.state.storage[digest] = data
            headers = {
                "X-Repo-Commit": commit,
                "X-Linked-Etag": f'"{digest}"',
                "X-Linked-Size": str(len(data)),
                "Location": f"{self.state.storage_host}/storage/{digest}",
            }
            self.reply(302, b"", headers)
        else:
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            self.send(data, {"X-Repo-Commit": commit, "ETag": f'"{blob}"'})

    def stored(self, body: bytes, digest: str) -> None:
        self.send(self.state.storage[digest], {"ETag": f'"{digest}"'})

    def send(self, data: bytes, headers: dict[str, str]) -> None:
        if self.broken is not None and self.broken.body is not None:
            data = self.broken.body
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and self.command == "GET":
            start = int(wanted[1])
            headers = {**headers, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
            self.reply(206, data[start:], headers)
        else:
            self.reply(200, data, {**headers, "Accept-Ranges": "bytes"})

    def info(self, body: bytes, name: str, revision: str | None) -> None:
        found = self.readable(name, revision)
        if found is not None:
            repository, commit = found
            siblings = [{"rfilename": file} for file in repository.commits[commit]]
            about = {
                "_id": "0" * 24,
                "id": name,
                "modelId": name,
                "sha": commit,
                "private": repository.private,
            }
            self.json({**about, "siblings": siblings, "tags": [], "downloads": 0, "likes": 0})

    def tree(self, body: bytes, name: str, revision: str, folder: str | None) -> None:
        found = self.readable(name, revision)
        if found is not None:
            repository, commit = found
            files = repository.commits[commit].items()
            self.json([{"type": "file", "path": p, "size": len(d), "oid": _blob(d)} for p, d in files])

    # -- writing ------------------------------------------------------------------------------------------------

    def writable(self, name: str) -> Repository | None:
        if not self.authorised():
            self.refuse(401)
            return None
        repository = self.state.repositories.get(name)
        if repository is None:
            self.refuse(404, "RepoNotFound")
        return repository

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        if not self.authorised():
            self.refuse(401)
        elif name in self.state.repositories:
            self.reply(409, json.dumps({"url": f"{self.state.endpoint}/{name}"}).encode())
        else:
            private = asked.get("private") or asked.get("visibility") == "private"
            self.state.put(name, {".gitattributes": b""}, private=private)
            self.json({"url": f"{self.state.endpoint}/{name}", "name": name})

    def branch(self, body: bytes, name: str, branch: str) -> None:
        repository = self.writable(name)
        if repository is not None:
            repository.branches.setdefault(branch, repository.branches["main"])
            self.json({})

    def validate(self, body: bytes) -> None:
        self.json({"errors": [], "warnings": []})

    def preupload(self, body: bytes, name: str, revision: str) -> None:
        if self.writable(name) is not None:
            files = json.loads(body)["files"]
            modes = ["lfs" if file["path"].endswith(".safetensors") else "regular" for file in files]
            self.json(
                {
                    "files": [
                        {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
                        for file, mode in zip(files, modes, strict=True)
                    ]
                }
            )

    def batch(self, body: bytes, name: str) -> None:
        if self.writable(name) is not None:
            objects = []
            for wanted in json.loads(body)["objects"]:
                actions = {
                    "upload": {"href": f"{self.state.storage_host}/upload/{wanted['oid']}"},
                    "verify": {"href": f"{self.state.endpoint}/verify"},
                }
                known = wanted["oid"] in self.state.storage
                objects.append({**wanted, "authenticated": True, **({} if known else {"actions": actions})})
            self.json({"transfer": "basic", "objects": objects})

    def upload(self, body: bytes, digest: str) -> None:
        if hashlib.sha256(body).hexdigest() != digest:
            self.refuse(400)
            return
        self.state.storage[digest] = body
        self.reply(200, b"", {"ETag": f'"{digest}"'})

    def verify(self, body: bytes) -> None:
        asked = json.loads(body)
        whole = len(self.state.storage.get(asked["oid"], b"")) == asked["size"]
        self.reply(200 if whole else 404, b"{}")

    def commit(self, body: bytes, name: str, revision: str) -> None:
        repository = self.writable(name)
        if repository is None:
            return
        files = {}
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.state.storage[value["oid"]]
        commit = repository.commit(files, revision)
        address = f"{self.state.endpoint}/{name}/commit/{commit}"
        self.json({"commitUrl": address, "commitOid": commit, "pullRequestUrl": None, "success": True})

    # -- answers ------------------------------------------------------------------------------------------------

    def json(self, value: object) -> None:
        self.reply(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def refuse(self, status: int, code: str = "", headers: dict[str, str] | None = None) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": code, **(headers or {})} if code else headers
        self.reply(status, b'{"error": "no"}', headers)

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        wrong = self.broken.headers if self.broken is not None else {}
        for key, value in {**(headers or {}), **wrong}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.broken is not None and self.broken.cut is not None:
            self.wfile.write(body[: self.broken.cut])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
            return
        for start in range(0, len(body), 1 << 16):
            self.wfile.write(body[start : start + (1 << 16)])
            time.sleep(self.state.pause)


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
