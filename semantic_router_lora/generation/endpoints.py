"""An OpenAI-compatible endpoint, asked one query at a time."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from semantic_router_lora.errors import EndpointError, InputError, require

if TYPE_CHECKING:
    import httpx
    from openai import APIStatusError

_JITTER_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
# Statuses that say that this endpoint will serve no query at all, as long as nobody acts.
_NO_USE = {
    401: "the key is not accepted",
    402: "it wants to be paid",
    403: "access is refused",
    404: "no such model or path",
}
# What to ask for, best first; a server that refuses one is asked for the next from then on.
_FORMS = ("json_schema", "json_object", "text")


class NoAnswerError(Exception):
    """An endpoint gave no answer to this request; another attempt may. Stays inside."""


class RateLimitedError(NoAnswerError):
    """An endpoint asks to wait."""


class QueryRefusedError(Exception):
    """An endpoint refuses this query, and would again. Stays inside."""


@dataclass(frozen=True)
class Reply:
    """The text of an answer, and why it ended (``stop``, ``length``, …)."""

    text: str
    finish_reason: str | None


class Endpoint:
    """A server that speaks the chat-completions protocol.

    Args:
        url: its base, such as ``http://localhost:8000/v1``.
        model: the name that it serves the model by.
        key: sent as the bearer token; replaced by ``***`` in every error.
        schema: of the wanted answer, sent where the server takes one.
        timeout: seconds that an answer may take.
        request: further fields of the request, such as ``temperature``.

    Raises:
        InputError: if the URL is none, or the key cannot be sent.
        MissingExtraError: without the extra ``generate``.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str,
        schema: dict[str, Any],
        timeout: float,
        request: dict[str, Any],
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"endpoint is {url!r}, expected a URL like http://localhost:8000/v1")
        if parts.username or parts.password:
            raise InputError("the endpoint's URL holds a user name or a password: leave it out")
        key = key.strip()
        if not (key.isascii() and key.isprintable()):
            raise InputError("the key holds characters that no header can")
        openai = require("openai", "generate")
        require("httpx_aiohttp", "generate")
        self.url = url
        self._key = key
        self._request = {"model": model, **request}
        self._schema = schema
        self._timeout = timeout
        self._form = 0
        self._paused_until = 0.0
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=key,
            timeout=timeout,
            max_retries=0,  # the job counts attempts itself, over all endpoints
            # httpx's own transport is an order of magnitude slower at 64 requests in flight
            # (and looks up the proxies of the environment anew for each request)
            http_client=openai.DefaultAioHttpClient(trust_env=bool(getproxies()), timeout=timeout),
        )

    def pause(self) -> float:
        """Seconds to wait because the server said so; not for all the same, or 0."""
        left = self._paused_until - time.monotonic()
        return left + random.uniform(0, _JITTER_SECONDS) if left > 0 else 0.0

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def ask(self, messages: list[dict[str, str]]) -> Reply:
        """Send one request.

        Raises:
            RateLimitedError: on 429, after which the next request waits as long as the server said.
            NoAnswerError: if no whole answer came.
            QueryRefusedError: if the server refuses this request.
            EndpointError: if it refuses all, such as for a wrong key or model.
        """
        import httpx
        import openai

        form = self._form
        body = {**self._request, "messages": messages, **self._response_format(form)}
        try:
            # the typed method spends more time on checking the request than all the rest takes
            request = self._client.post("/chat/completions", body=body, cast_to=httpx.Response)
            # httpx limits the wait for each piece of a response, not for all of them
            return _reply(await asyncio.wait_for(request, self._timeout))
        except asyncio.TimeoutError as error:
            raise NoAnswerError(f"no whole answer in {self._timeout:g} s") from error
        except openai.APIStatusError as error:
            self._status(error, form)
            return await self.ask(messages)  # in another form
        except openai.APIConnectionError as error:
            # also what openai takes for a time-out: the transport calls a reset so
            raise NoAnswerError(self._safe(f"connection: {error.__cause__ or error}")) from error
        except (httpx.HTTPError, openai.OpenAIError) as error:
            raise NoAnswerError(self._safe(f"{type(error).__name__}: {error}")) from error

    def _response_format(self, form: int) -> dict[str, Any]:
        name = _FORMS[form]
        if name == "json_schema":
            content = {"name": "answer", "strict": True, "schema": self._schema}
            return {"response_format": {"type": name, name: content}}
        return {} if name == "text" else {"response_format": {"type": name}}

    def _status(self, error: APIStatusError, form: int) -> None:
        """Raise what a status means; return if the request may be sent in the next form."""
        status = error.status_code
        said = self._safe(f"status {status}: {_message(error)}")
        if status == 429:
            until = time.monotonic() + _retry_after(error.response)
            self._paused_until = max(self._paused_until, until)
            raise RateLimitedError(said) from error
        if status in (408, 409, 425) or status >= 500:
            raise NoAnswerError(said) from error
        if status in _NO_USE:
            raise EndpointError(f"{self.url}: {_NO_USE[status]} ({said})") from error
        about_form = any(word in said for word in ("response_format", "schema", "grammar"))
        if about_form and form + 1 < len(_FORMS):
            self._form = max(self._form, form + 1)
            return
        raise QueryRefusedError(said) from error

    def _safe(self, text: str) -> str:
        """A server's words in one line, without the key, which some repeat."""
        return " ".join(text.replace(self._key, "***").split())[:300] if self._key else text[:300]


def backoff(attempt: int, first: float) -> float:
    """Seconds to wait after the given attempt, counted from 1: doubling, capped, with jitter."""
    longest = min(_LONGEST_WAIT_SECONDS, first * 2.0 ** (attempt - 1))
    return random.uniform(longest / 2, longest)


def _retry_after(response: httpx.Response) -> float:
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:  # missing, or a date
        seconds = 1.0
    return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS) if seconds == seconds else 1.0


def _message(error: APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        return str(body.get("message") or body)
    return str(body or error.message)


def _reply(response: httpx.Response) -> Reply:
    """Read a response of status 200, which may still hold anything.

    Raises:
        NoAnswerError: if it is no chat completion.
    """
    try:
        content = json.loads(response.content.decode("utf-8"))
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
