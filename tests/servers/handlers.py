"""Handlers of the chat server: what is answered, refused, broken and logged."""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import replies
from aiohttp import web
from faults import Rule, first_rule


class Log:
    """Appends JSON lines, each with one write, so that a reader sees whole lines only."""

    def __init__(self, path: Path | None) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = None if path is None else os.open(path, flags, 0o644)

    def write(self, event: str, number: int, **fields: Any) -> None:
        if self._file is not None:
            line = {"event": event, "number": number, "time": time.monotonic(), **fields}
            os.write(self._file, (json.dumps(line) + "\n").encode())


class ChatServer:
    """Handlers and counters.

    Args:
        plan: rules of the faults.
        answers: answer to each query; None makes answers up.
        latency: seconds that an answer takes; errors come at once.
        key: the key to ask for; None lets everyone in.
        model: the one model there is; None accepts every name.
        json_schema: whether response_format json_schema is supported.
        refused_fields: fields of a request that are not supported.
        log: where requests are noted.
    """

    def __init__(
        self,
        plan: Sequence[Rule],
        answers: Mapping[str, str] | None,
        latency: float,
        key: str | None,
        model: str | None,
        json_schema: bool,
        refused_fields: Sequence[str],
        log: Log,
    ) -> None:
        self._plan = plan
        self._answers = answers
        self._latency = latency
        self._header = None if key is None else f"Bearer {key}".encode()
        self._model = model
        self._json_schema = json_schema
        self._refused_fields = refused_fields
        self._log = log
        self._requests = 0
        self._in_flight = 0
        self._attempts: Counter[str] = Counter()

    def application(self) -> web.Application:
        application = web.Application(client_max_size=16 * 2**20)
        application.router.add_post("/v1/chat/completions", self.chat)
        application.router.add_get("/v1/models", self.models)
        return application

    def _authorised(self, request: web.Request) -> bool:
        sent = request.headers.get("Authorization", "").encode(errors="replace")
        return self._header is None or hmac.compare_digest(sent, self._header)

    async def models(self, request: web.Request) -> web.Response:
        if not self._authorised(request):
            return replies.error("401")
        entry = {"id": self._model or "test-model", "object": "model", "owned_by": "tests"}
        return web.json_response({"object": "list", "data": [entry]})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self._requests += 1
        self._in_flight += 1
        number = self._requests
        try:
            outcome, response = await self._answer(request, number)
        except ConnectionError:
            outcome, response = "undelivered", web.Response()
        finally:
            self._in_flight -= 1
        self._log.write(outcome, number, status=response.status if outcome == "sent" else None)
        return response

    async def _answer(self, request: web.Request, number: int) -> tuple[str, web.Response]:
        body = json.loads(await request.read())
        query = last_user_message(body)
        authorised = self._authorised(request)
        schema = (body.get("response_format") or {}).get("type") == "json_schema"
        rule, refused = None, self._refused(body, query, authorised, schema)
        attempt = None
        if refused is None:
            self._attempts[query] += 1
            attempt = self._attempts[query]
            rule = first_rule(self._plan, query, attempt, number)
        fault = rule.fault if rule else None
        self._log.write(
            "request",
            number,
            query=query,
            attempt=attempt,
            fault=fault,
            refused=refused,
            authorised=authorised,
            json_schema=schema,
            model=body.get("model"),
            in_flight=self._in_flight,
        )
        failure = refused or (fault if fault in replies.ERRORS else None)
        if failure is not None:
            seen = "" if authorised else request.headers.get("Authorization", "")
            response = replies.error(failure, rule.retry_after if rule else None, seen)
            await replies.send(request, response)
            return "sent", response
        await asyncio.sleep(rule.seconds if rule and fault == "slow" else self._latency)
        content = replies.made_up_answer(query) if self._answers is None else self._answers[query]
        response = replies.completion(body.get("model"), number, content, fault)
        if fault is not None and fault in replies.BREAKS:
            await replies.BREAKS[fault](request, response)
            return "broken", response
        await replies.send(request, response)
        return "sent", response

    def _refused(self, body: Any, query: str, authorised: bool, schema: bool) -> str | None:
        """Why no answer is made, whatever the plan says; these are no attempts."""
        if not authorised:
            return "401"
        if self._model is not None and body.get("model") != self._model:
            return "404"
        if not query or body.get("stream"):
            return "bad_request"
        for field in self._refused_fields:
            if field in body:
                return field
        if schema and not self._json_schema:
            return "no_json_schema"
        if self._answers is not None and query not in self._answers:
            return "no_answer"
        return None


def last_user_message(body: Any) -> str:
    """The text of the last message of the user; empty if there is none."""
    messages = body.get("messages") or []
    texts = [message.get("content") for message in messages if message.get("role") == "user"]
    return texts[-1] if texts and isinstance(texts[-1], str) else ""
