"""A stand-in of the Hugging Face Hub on loopback: what its client needs to upload and download.

Repositories are kept in memory, as commits of path → bytes. Files by the name of *.safetensors and
*.png go through the LFS protocol, the others come inside of the commit, as on the Hub.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LFS_NAMES = (".safetensors", ".png")


@dataclass
class Answer:
    """What goes back: a JSON value or bytes."""

    content: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        if isinstance(self.content, bytes):
            return self.content
        return b"" if self.content is None else json.dumps(self.content).encode()


@dataclass
class Repo:
    """Commits, newest last in each branch."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def add(self, files: dict[str, bytes], branch: str = "main") -> str:
        """A commit with exactly these files; returns its digits."""
        sha = hashlib.sha1(f"{len(self.commits)} {branch} {sorted(files)}".encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        return sha

    def files(self, revision: str) -> dict[str, bytes] | None:
        return self.commits.get(self.branches.get(revision, revision))


class HubServer:
    """Listens on loopback while it is entered as a context.

    Attributes:
        token: that may write to, and see, every repository of `owner`.
        repos: by ``owner/name``.
        requests: method and path of what came.
        faults: what to answer in place of the right thing, by part of "METHOD path".
    """

    def __init__(self, token: str = "hf_right", owner: str = "someone") -> None:
        self.token, self.owner = token, owner
        self.repos: dict[str, Repo] = {}
        self.requests: list[str] = []
        self.faults: dict[str, Answer] = {}
        self._lfs: dict[str, bytes] = {}

    @contextmanager
    def running(self) -> Iterator[HubServer]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None: ...

            def do_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = hub.answer(self.command, self.path, body, self.headers["Authorization"])
                content = answer.body()
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(content)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = do_any  # noqa: N815

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        serve = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        serve.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def answer(self, method: str, target: str, body: bytes, login: str | None) -> Answer:
        path = unquote(urlsplit(target).path)
        self.requests.append(f"{method} {path}")
        for part, fault in self.faults.items():
            if part in f"{method} {path}":
                return fault
        may_write = login == f"Bearer {self.token}"
        if path.startswith("/lfs/"):  # the address itself is the permission, as with S3
            self._lfs[path.removeprefix("/lfs/")] = body
            return Answer()
        if method in ("POST", "PUT") and not may_write:
            return Answer({"error": "Invalid credentials"}, 401)
        if path == "/api/whoami-v2":
            found = Answer({"name": self.owner, "type": "user"})
            return found if may_write else Answer({"error": "Invalid token"}, 401)
        if path == "/api/validate-yaml":
            return Answer({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith(".git/info/lfs/objects/batch"):
            return self._lfs_batch(json.loads(body))
        parts = path.removeprefix("/api/models").strip("/").split("/")
        repo = self.repos.get("/".join(parts[:2]))
        if repo is None or (repo.private and not may_write):
            return Answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        name, action = "/".join(parts[:2]), parts[2] if len(parts) > 2 else "revision"
        revision = parts[3] if len(parts) > 3 else "main"
        if action == "branch":
            repo.branches.setdefault(revision, repo.branches["main"])
            return Answer()
        files = repo.files(revision)
        if files is None:
            headers = {"X-Error-Code": "RevisionNotFound"}
            return Answer({"error": f"Invalid rev id: {revision}"}, 404, headers)
        sha = repo.branches.get(revision, revision)
        if action == "resolve":
            return _resolve(files, "/".join(parts[4:]), sha)
        if action == "preupload":
            sent = json.loads(body)["files"]
            return Answer({"files": [_upload_mode(file["path"]) for file in sent]})
        if action == "commit":
            return self._commit(name, repo, revision, body)
        if action == "tree":
            return Answer([_file_info(path, data) for path, data in files.items()])
        if action == "paths-info":
            wanted = parse_qs(body.decode()).get("paths", [])
            return Answer([_file_info(path, files[path]) for path in wanted if path in files])
        siblings = [{"rfilename": path} for path in files]
        return Answer({"id": name, "sha": sha, "private": repo.private, "siblings": siblings})

    def _create(self, wanted: dict[str, str]) -> Answer:
        name = f"{wanted['organization'] or self.owner}/{wanted['name']}"
        if not name.startswith(f"{self.owner}/"):
            return Answer({"error": f"You don't have the rights to create {name}"}, 403)
        answer = {"url": f"{self.url}/{name}", "id": name}
        if name in self.repos:
            return Answer(answer | {"error": "You already created this model repo"}, 409)
        self.repos[name] = Repo(private=wanted.get("visibility") == "private")
        self.repos[name].add({".gitattributes": b"*.safetensors filter=lfs diff=lfs -text\n"})
        return Answer(answer)

    def _lfs_batch(self, wanted: dict[str, list[dict[str, str]]]) -> Answer:
        objects = [
            {**item, "actions": {"upload": {"href": f"{self.url}/lfs/{item['oid']}"}}}
            for item in wanted["objects"]
        ]
        return Answer({"transfer": "basic", "objects": objects})

    def _commit(self, name: str, repo: Repo, branch: str, body: bytes) -> Answer:
        lines = [json.loads(line) for line in body.splitlines()]
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, repo.branches[branch]):
            return Answer({"error": "A commit has happened since"}, 412)
        files = dict(repo.files(branch) or {})
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                data = self._lfs[value["oid"]]
                if hashlib.sha256(data).hexdigest() != value["oid"]:
                    return Answer({"error": "LFS object does not match its digest"}, 400)
                files[value["path"]] = data
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        sha = repo.add(files, branch)
        repo.messages.append(header["summary"])
        return Answer({"commitOid": sha, "commitUrl": f"{self.url}/{name}/commit/{sha}"})


def _upload_mode(path: str) -> dict[str, object]:
    mode = "lfs" if path.endswith(LFS_NAMES) else "regular"
    return {"path": path, "uploadMode": mode, "shouldIgnore": False}


def _file_info(path: str, data: bytes) -> dict[str, object]:
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    info: dict[str, object] = {"type": "file", "path": path, "size": len(data), "oid": blob}
    if path.endswith(LFS_NAMES):
        digest = hashlib.sha256(data).hexdigest()
        info["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 134}
    return info


def _resolve(files: dict[str, bytes], path: str, sha: str) -> Answer:
    if path not in files:
        return Answer(None, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha})
    data = files[path]
    digest = hashlib.sha256 if path.endswith(LFS_NAMES) else hashlib.sha1
    return Answer(data, 200, {"ETag": f'"{digest(data).hexdigest()}"', "X-Repo-Commit": sha})
