"""Servers that run as processes on loopback while a test needs them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers.faults import Rule, plan_json

_START_SECONDS = 60.0


@dataclass(frozen=True)
class RunningChatServer:
    """A chat server that listens.

    Attributes:
        url: what goes into --endpoint, `http://127.0.0.1:PORT/v1`.
        process: the server's process.
        folder: holds the log and what it wrote to stderr.
    """

    url: str
    process: subprocess.Popen[bytes]
    folder: Path

    def log(self) -> list[dict[str, Any]]:
        """All events so far, in order."""
        path = self.folder / "log.jsonl"
        lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
        return [json.loads(line) for line in lines if line]

    def request_count(self) -> int:
        """How many requests came, without reading them."""
        path = self.folder / "log.jsonl"
        return path.read_bytes().count(b'{"event": "request"') if path.exists() else 0

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The events of the requests that came."""
        return [event for event in self.log() if event["event"] == "request"]

    @property
    def answered(self) -> list[str]:
        """Queries that got a good answer, once for each time."""
        good = {
            event["number"]: event["query"]
            for event in self.requests
            if event["fault"] in (None, "slow") and event["refused"] is None
        }
        sent = [event["number"] for event in self.log() if event["event"] == "sent"]
        return [good[number] for number in sent if number in good]

    def stop(self) -> int:
        """End it with SIGTERM, as an endpoint that goes away; returns the exit status."""
        return end(self.process)


@contextlib.contextmanager
def running_chat_server(
    tmp_path: Path,
    *,
    faults: Iterable[Rule | Mapping[str, Any]] = (),
    answers: Mapping[str, Any] | None = None,
    latency: float = 0.0,
    api_key: str | None = None,
    model: str | None = None,
    json_schema: bool = True,
    refused_fields: Sequence[str] = (),
    port: int = 0,
) -> Iterator[RunningChatServer]:
    """Start chat_server.py with a folder of its own in `tmp_path`, and end it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="chat-server-", dir=tmp_path))
    port_file = folder / "port"
    options: list[str | Path] = ["--port", str(port), "--port-file", port_file]
    options += ["--log", folder / "log.jsonl", "--latency", str(latency)]
    options += ["--faults", _written(folder / "faults.json", plan_json(faults))]
    if answers is not None:
        rows = [{"query": query, "answer": answer} for query, answer in answers.items()]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        options += ["--answers", _written(folder / "answers.jsonl", lines)]
    if api_key is not None:
        options += ["--api-key", api_key]
    if model is not None:
        options += ["--model", model]
    if not json_schema:
        options.append("--no-json-schema")
    for name in refused_fields:
        options += ["--refuse", name]
    script = Path(__file__).with_name("chat_server.py")
    with running_process([sys.executable, script, *options], folder / "stderr.txt") as process:
        wait_until(port_file.exists, process, folder / "stderr.txt")
        url = f"http://127.0.0.1:{port_file.read_text()}/v1"
        yield RunningChatServer(url, process, folder)


@contextlib.contextmanager
def running_process(
    command: Sequence[str | Path], output: Path, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process whose stdout and stderr go to a file, and end it afterwards."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, **options
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM, and SIGKILL if that does not help; returns the exit status."""
    process.terminate()
    try:
        return process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def wait_until(
    ready: Callable[[], object],
    process: subprocess.Popen[bytes],
    output: Path,
    seconds: float = _START_SECONDS,
) -> None:
    """Wait until `ready()` is true.

    Raises:
        RuntimeError: if the process ends before, or after `seconds`; with what it wrote.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            said = output.read_text(errors="replace")
            raise RuntimeError(f"the server did not start (exit {process.poll()}): {said}")
        time.sleep(0.02)


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
