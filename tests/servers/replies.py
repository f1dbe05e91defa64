"""What the server sends: completions, errors, and broken versions of both."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

TRAPS = ("aspect", "entity", "number", "negation", "scope", "role")
REFUSAL = "I'm sorry, but I can't help with that request."
_HTML = "<html><body><h1>502 Bad Gateway</h1><p>upstream is down</p></body></html>"
ERRORS = {
    "400": (400, "invalid_request_error", "context_length_exceeded", "The context is too long."),
    "401": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "403": (403, "invalid_request_error", None, "Forbidden."),
    "404": (404, "invalid_request_error", "model_not_found", "The model does not exist."),
    "429": (429, "rate_limit_error", "rate_limit_exceeded", "Rate limit reached."),
    "500": (500, "server_error", None, "The server had an error."),
    "502": (502, "server_error", None, ""),
    "503": (503, "server_error", None, "The server is overloaded."),
    "no_json_schema": (
        400,
        "invalid_request_error",
        None,
        "response_format type 'json_schema' is not supported",
    ),
    "max_tokens": (
        400,
        "invalid_request_error",
        "unsupported_parameter",
        "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
    ),
    "temperature": (
        400,
        "invalid_request_error",
        "unsupported_value",
        "Unsupported value: 'temperature' does not support 0.7.",
    ),
    "bad_request": (400, "invalid_request_error", None, "No user message, or streaming asked for."),
    "no_answer": (
        400,
        "invalid_request_error",
        None,
        "The file of answers has none for the query.",
    ),
}


def made_up_answer(query: str) -> str:
    """An answer of the form that is asked for, made of the query; another one for each query."""
    mark = hashlib.sha256(query.encode()).hexdigest()[:6]
    openings = ("Could you tell me", "I would like to know", "Please explain to me")
    paraphrases = [f"{opening}: {query} ({mark})" for opening in openings]
    negatives = {trap: f"{query} with another {trap} ({mark})" for trap in TRAPS}
    return json.dumps({"paraphrases": paraphrases, "negatives": negatives}, ensure_ascii=False)


def error(name: str, retry_after: float | None = None, seen: str = "") -> web.Response:
    """An error with OpenAI's body; 502 is a proxy's, which knows nothing of it.

    What the server has `seen`, such as a key, is repeated, as some servers do.
    """
    status, kind, code, message = ERRORS[name]
    if name == "502":
        return web.Response(text=_HTML, content_type="text/html", status=status)
    message = f"{message} {seen}".strip()
    param = name if code and code.startswith("unsupported") else None
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return web.json_response(body, status=status, headers=headers)


def completion(model: str, number: int, content: str, fault: str | None = None) -> web.Response:
    """Status 200 with a completion; `fault` says what is wrong with it."""
    finish, text = "stop", content
    if fault == "truncated_answer":
        finish, text = "length", content[: len(content) // 2]
    elif fault == "refusal":
        text = REFUSAL
    message = {"role": "assistant", "content": None if fault == "null_content" else text}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    body: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [] if fault == "empty_choices" else [choice],
        "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
    }
    if fault == "wrong_schema":
        del body["choices"]
    data = json.dumps(body, ensure_ascii=False).encode()
    if fault == "html":
        return web.Response(text=_HTML, content_type="text/html")
    if fault == "invalid_json":
        data = data[: len(data) // 2]
    elif fault == "invalid_utf8":
        data = data.replace(b'"content": "', b'"content": "\xff\xfe\xc3(')
    return web.Response(body=data, content_type="application/json")


async def send(request: web.Request, response: web.Response) -> None:
    """Send the whole response.

    Raises:
        ConnectionError: if the client is gone.
    """
    await response.prepare(request)
    await response.write_eof()


async def send_half(request: web.Request, response: web.Response) -> None:
    """Send the headers and half of the body, then close the connection."""
    data, half = await _announce(request, response)
    await half.write(data[: len(data) // 2])
    await close(request, response)


async def drip(request: web.Request, response: web.Response) -> None:
    """Send a byte of the body each tenth of a second: no single read takes long."""
    data, dripping = await _announce(request, response)
    for byte in data:
        await asyncio.sleep(0.1)
        await dripping.write(bytes([byte]))
    await dripping.write_eof()


async def _announce(
    request: web.Request, response: web.Response
) -> tuple[bytes, web.StreamResponse]:
    """The body to send, and a response whose headers are sent."""
    assert isinstance(response.body, bytes)
    started = web.StreamResponse(headers={"Content-Type": "application/json"})
    started.content_length = len(response.body)
    await started.prepare(request)
    return response.body, started


async def close(request: web.Request, _response: web.Response) -> None:
    """Close the connection after what was sent."""
    if request.transport is not None:
        request.transport.close()


async def reset(request: web.Request, _response: web.Response) -> None:
    """Reset the connection: the client's next read or write fails with ECONNRESET."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()


async def hang(request: web.Request, _response: web.Response) -> None:
    """Answer nothing until the client goes away."""
    while request.transport is not None:
        await asyncio.sleep(0.1)


BREAKS: Mapping[str, Callable[[web.Request, web.Response], Awaitable[None]]] = {
    "reset": reset,
    "close": close,
    "hang": hang,
    "truncated_body": send_half,
    "drip": drip,
}
