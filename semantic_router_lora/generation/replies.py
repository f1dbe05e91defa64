"""What an endpoint sent, or that it sent nothing: read, and told apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx
    from openai import APIStatusError


# Servers of one's own take any key, such as "ollama", and an answer may well hold that word.
_SHORTEST_SECRET = 12


class NoAnswerError(Exception):
    """An endpoint gave no answer to this request; another attempt may. Stays inside."""


class RateLimitedError(NoAnswerError):
    """An endpoint asks to wait."""


class UnreachableError(NoAnswerError):
    """There was no connection to send the request on, so that the query is not to blame."""


class QueryRefusedError(Exception):
    """An endpoint refuses this query, and would again. Stays inside."""


@dataclass(frozen=True)
class Reply:
    """The text of an answer, and why it ended (``stop``, ``length``, …)."""

    text: str
    finish_reason: str | None


def read_reply(response: httpx.Response, key: str = "") -> Reply:
    """Read a response of status 200, which may still hold anything.

    Args:
        response: what came.
        key: that was sent; replaced by ``***`` where the response repeats it, for this goes into
            files. Not if it is too short to be a secret.

    Raises:
        NoAnswerError: if it is no chat completion.
    """
    try:
        said = response.content.decode("utf-8")
        content = json.loads(said.replace(key, "***") if len(key) >= _SHORTEST_SECRET else said)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise NoAnswerError(f"the response is no JSON: {type(error).__name__}") from error
    try:
        choice = content["choices"][0]
        text = choice["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise NoAnswerError("the response is no chat completion") from error
    reason = choice.get("finish_reason")
    if text is None or not isinstance(text, str):
        raise NoAnswerError(f"the response holds no text (finish_reason {reason!r})")
    return Reply(text, reason if isinstance(reason, str) else None)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that a response asks to wait; None if it says nothing, or names a date."""
    try:
        seconds = float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return max(seconds, 0.0) if seconds == seconds else None


def message(error: APIStatusError) -> str:
    """What a server says about a request that it does not serve."""
    body = error.body
    if isinstance(body, dict):
        return str(body.get("message") or body)
    return str(body or error.message)


def is_unreachable(error: BaseException | None) -> bool:
    """Whether a request failed before it could be sent."""
    import aiohttp

    # httpx, in between, calls a lost connection the same
    while error is not None:
        if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
            return True
        error = error.__cause__
    return False
