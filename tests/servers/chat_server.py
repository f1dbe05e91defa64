"""A server for tests that speaks OpenAI's chat-completions protocol and injects faults.

Run it as a process, `python chat_server.py --help`, or through `processes.running_chat_server`.

Every request to /v1/chat/completions makes two lines of the log, JSON objects of one write each:
``{"event": "request", …}`` when it came, and when it is over ``{"event": "sent", …}`` (all bytes
were handed to the system), ``"broken"`` (a fault cut the connection) or ``"undelivered"`` (the
client was gone).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from aiohttp import web
from faults import read_plan
from handlers import ChatServer, Log


def read_answers(path: Path) -> dict[str, str]:
    """Answers of a JSONL file with "query" and "answer", a text or the object to send as JSON."""
    answers = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        answer = row["answer"]
        answers[row["query"]] = (
            answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
        )
    return answers


async def serve(server: ChatServer, port: int, port_file: Path | None) -> None:
    """Serve on loopback until SIGTERM or SIGINT; the port goes to `port_file` when it listens."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    if port_file is not None:
        part = port_file.with_suffix(".part")
        part.write_text(str(runner.addresses[0][1]))
        part.replace(port_file)
    await stop.wait()
    await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description="Chat-completions server that injects faults.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="gets the port once the server listens")
    parser.add_argument("--log", type=Path, help="JSONL, appended")
    parser.add_argument("--answers", type=Path, help='JSONL of {"query", "answer"}')
    parser.add_argument("--latency", type=float, default=0.0, help="seconds an answer takes")
    parser.add_argument("--faults", type=Path, help="JSON list of rules, see faults.py")
    parser.add_argument("--api-key", help="other keys get 401")
    parser.add_argument("--model", help="other models get 404")
    parser.add_argument("--no-json-schema", action="store_true", help="json_schema gets 400")
    parser.add_argument(
        "--refuse", action="append", default=[], choices=("max_tokens", "temperature")
    )
    arguments = parser.parse_args()
    server = ChatServer(
        plan=read_plan(arguments.faults) if arguments.faults else [],
        answers=read_answers(arguments.answers) if arguments.answers else None,
        latency=arguments.latency,
        key=arguments.api_key,
        model=arguments.model,
        json_schema=not arguments.no_json_schema,
        refused_fields=arguments.refuse,
        log=Log(arguments.log),
    )
    asyncio.run(serve(server, arguments.port, arguments.port_file))


if __name__ == "__main__":
    main()
