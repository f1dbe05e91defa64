"""An OpenAI-compatible endpoint, asked one query at a time."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from semantic_router_lora.errors import EndpointError, InputError, require
from semantic_router_lora.generation.replies import (
    NoAnswerError,
    QueryRefusedError,
    RateLimitedError,
    Reply,
    UnreachableError,
    is_unreachable,
    message,
    read_reply,
    retry_after,
)

if TYPE_CHECKING:
    import httpx
    from openai import APIStatusError

_JITTER_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_LONGEST_CONNECT_SECONDS = 10.0
# Statuses that say that this endpoint will serve no query at all, as long as nobody acts.
_NO_USE = {
    401: "the key is not accepted",
    402: "it wants to be paid",
    404: "no such model or path",
}
# What to ask for, best first; a server that refuses one is asked for the next from then on.
_FORMS = ("json_schema", "json_object", "text")


class Endpoint:
    """A server that speaks the chat-completions protocol.

    Args:
        url: its base, such as ``http://localhost:8000/v1``.
        model: the name that it serves the model by.
        key: sent as the bearer token; ``***`` in all that comes back. None if there is none.
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
        key: str | None,
        schema: dict[str, Any],
        timeout: float,
        request: dict[str, Any],
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"endpoint is {url!r}, expected a URL like http://localhost:8000/v1")
        if parts.username or parts.password:
            raise InputError("the endpoint's URL holds a user name or a password: leave it out")
        if parts.query or parts.fragment:
            raise InputError("the endpoint's URL holds a ? or #: only its base is wanted")
        key = (key or "").strip()
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
        self._limits = 0  # pauses in a row for which the server named no time
        limits = openai.Timeout(timeout, connect=min(timeout, _LONGEST_CONNECT_SECONDS))
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=key or "none",  # the client wants one
            timeout=limits,
            max_retries=0,  # the job counts attempts itself, over all endpoints
            # httpx's own transport is an order of magnitude slower at 64 requests in flight
            # (and looks up the proxies of the environment anew for each request)
            http_client=openai.DefaultAioHttpClient(trust_env=bool(getproxies()), timeout=limits),
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
            RateLimitedError: on 429, after which `pause` says how long to wait.
            UnreachableError: if there was no connection.
            NoAnswerError: if no whole answer came.
            QueryRefusedError: if the server refuses this request.
            EndpointError: if it refuses all, such as for a wrong key or model.
        """
        import httpx
        import openai

        body = {**self._request, "messages": messages, **self._response_format(_FORMS[self._form])}
        try:
            # the typed method spends more time on checking the request than all the rest takes
            request = self._client.post("/chat/completions", body=body, cast_to=httpx.Response)
            # httpx limits the wait for each piece of a response, not for all of them
            reply = read_reply(await asyncio.wait_for(request, self._timeout), self._key)
        except asyncio.TimeoutError as error:
            raise NoAnswerError(f"no whole answer in {self._timeout:g} s") from error
        except openai.APIStatusError as error:
            self._status(error, body)
            return await self.ask(messages)  # in another form
        except openai.APIConnectionError as error:
            # also what openai takes for a time-out: the transport calls a reset so
            kind = UnreachableError if is_unreachable(error) else NoAnswerError
            raise kind(self._safe(f"connection: {error.__cause__ or error}")) from error
        except (httpx.HTTPError, openai.OpenAIError) as error:
            raise NoAnswerError(self._safe(f"{type(error).__name__}: {error}")) from error
        self._limits = 0
        return reply

    def _response_format(self, name: str) -> dict[str, Any]:
        if name == "json_schema":
            content = {"name": "answer", "strict": True, "schema": self._schema}
            return {"response_format": {"type": name, name: content}}
        return {} if name == "text" else {"response_format": {"type": name}}

    def _status(self, error: APIStatusError, sent: dict[str, Any]) -> None:
        """Raise what a status means; return if the request may be sent in another form."""
        status = error.status_code
        said = self._safe(f"status {status}: {message(error)}")
        if status == 429 and error.code != "insufficient_quota":
            self._wait(error.response)
            raise RateLimitedError(said) from error
        if status in (408, 409, 425) or status >= 500:
            raise NoAnswerError(said) from error
        if status in (*_NO_USE, 429):
            raise EndpointError(
                f"{self.url}: {_NO_USE.get(status, _NO_USE[402])} ({said})"
            ) from None
        if not self._change_form(error, said, sent):
            raise QueryRefusedError(said) from error

    def _wait(self, response: httpx.Response) -> None:
        """Pause for as long as the server says, or longer and longer if it says nothing."""
        now = time.monotonic()
        seconds = retry_after(response)
        if seconds is None:
            if now < self._paused_until:
                return  # sent before the pause began
            self._limits += 1
            seconds = backoff(self._limits, 1.0)
        self._paused_until = max(self._paused_until, now + min(seconds, _LONGEST_WAIT_SECONDS))

    def _change_form(self, error: APIStatusError, said: str, sent: dict[str, Any]) -> bool:
        """Leave out of further requests what this one was refused for, if it held such a thing."""
        if "max_completion_tokens" in said and "max_tokens" in sent:
            self._request.pop("max_tokens", None)
            self._request["max_completion_tokens"] = sent["max_tokens"]
            return True
        if error.param == "temperature" and "temperature" in sent:
            self._request.pop("temperature", None)
            return True
        about_form = any(word in said for word in ("response_format", "schema", "grammar"))
        if about_form and "response_format" in sent:
            refused = _FORMS.index(sent["response_format"]["type"])
            self._form = max(self._form, refused + 1)
            return True
        return False

    def _safe(self, text: str) -> str:
        """A server's words in one line, without the key, which some repeat."""
        if self._key:
            text = text.replace(self._key, "***")
        return " ".join(text.split())[:300]


def backoff(attempt: int, first: float) -> float:
    """Seconds to wait after the given attempt, counted from 1: doubling, capped, with jitter."""
    longest = min(_LONGEST_WAIT_SECONDS, first * 2.0 ** min(attempt - 1, 100))  # or it overflows
    return random.uniform(longest / 2, longest)
