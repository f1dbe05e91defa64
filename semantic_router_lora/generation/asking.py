"""Ask a model about every query that has no answer yet."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from semantic_router_lora.errors import EndpointError
from semantic_router_lora.generation.answers import AnswerError, parse_answer
from semantic_router_lora.generation.endpoints import (
    Endpoint,
    NoAnswerError,
    QueryRefusedError,
    RateLimitedError,
    backoff,
)
from semantic_router_lora.generation.journal import Journal
from semantic_router_lora.generation.prompts import Prompt
from semantic_router_lora.generation.queries import QueryFile

_Query: TypeAlias = tuple[int, str]  # row and text


@dataclass(frozen=True)
class Persistence:
    """How often to try.

    Attributes:
        attempts: requests for a query before it counts as failed.
        answer_attempts: answers to a query before an unusable one is kept; each is paid for.
        rate_limits: answers of status 429 to a query before it counts as failed.
        breaker: queries in a row that run out of attempts before an endpoint is given up.
        backoff: seconds to wait after the first attempt; doubled after each further one.
    """

    attempts: int = 6
    answer_attempts: int = 2
    rate_limits: int = 60
    breaker: int = 10
    backoff: float = 0.5


class _StoppedError(Exception):
    """No further attempt: the user stops, or the endpoint was given up."""


@dataclass
class _Place:
    """An endpoint, and the queries in a row for which it gave nothing."""

    endpoint: Endpoint
    suspects: list[tuple[_Query, str]] = field(default_factory=list)
    given_up: EndpointError | None = None


class Asking:
    """One run over the queries that a journal has no answer for.

    Several endpoints share the queries: each takes the next one when it has a place free. An
    endpoint at which several queries in a row run out of attempts is given up, and its queries go
    to the others. With the last endpoint the run ends, and these queries stay unanswered.

    Args:
        queries: what to ask.
        journal: where answers go, and where those of earlier runs are.
        prompt: how to ask.
        paraphrases: how many to ask for.
        concurrency: requests in flight at each endpoint.
        persistence: how often to try.
    """

    def __init__(
        self,
        queries: QueryFile,
        journal: Journal,
        prompt: Prompt,
        *,
        paraphrases: int,
        concurrency: int,
        persistence: Persistence,
    ) -> None:
        self._journal = journal
        self._messages = prompt.messages(paraphrases)
        self._concurrency = concurrency
        self._persistence = persistence
        self._total = int((queries.kinds == 0).sum())
        self._pending = (query for query in queries.texts() if query[0] not in journal)
        self._returned: deque[_Query] = deque()
        self._bar: Any = None

    async def run(self, endpoints: Sequence[Endpoint], *, show_progress: bool = False) -> bool:
        """Ask until every query has an answer or failed, or the user interrupts.

        The first Ctrl-C lets requests in flight finish, a second one drops them.

        Returns:
            Whether all was asked; False after a Ctrl-C.

        Raises:
            EndpointError: if the last endpoint was given up.
        """
        from tqdm.auto import tqdm

        places = [_Place(endpoint) for endpoint in endpoints]
        self._stopping = asyncio.Event()
        self._bar = tqdm(
            total=self._total, initial=len(self._journal), unit="query", disable=not show_progress
        )
        with self._bar, self._interruptible():
            try:
                alive = places
                while alive and not self._stopping.is_set():
                    await _together(
                        [self._work(p) for p in alive for _ in range(self._concurrency)]
                    )
                    alive = [place for place in places if place.given_up is None]
                    if not self._returned:
                        break
            finally:
                for endpoint in endpoints:
                    await endpoint.close()
        for place in alive:
            self._settle(place)
        if not alive:
            raise EndpointError(
                f"{self._total - len(self._journal)} of {self._total} queries have no answer yet; "
                f"go on with --resume. {'; '.join(str(place.given_up) for place in places)}"
            )
        return not self._stopping.is_set()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None

        def interrupt() -> None:
            if self._stopping.is_set():
                task.cancel()
            self._stopping.set()

        try:
            loop.add_signal_handler(signal.SIGINT, interrupt)
        except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
            yield
            return
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _work(self, place: _Place) -> None:
        while place.given_up is None and not self._stopping.is_set():
            query = self._returned.popleft() if self._returned else next(self._pending, None)
            if query is None:
                return
            try:
                entry = await self._ask(place, query[1])
            except _StoppedError:
                self._returned.append(query)
            except EndpointError as error:
                self._returned.append(query)
                self._give_up(place, error)
            except (NoAnswerError, QueryRefusedError) as error:
                self._suspect(place, query, str(error))
            else:
                self._settle(place)
                self._keep(query[0], entry)

    async def _ask(self, place: _Place, text: str) -> dict[str, Any]:
        """The journal's entry for a query; raises the last error if there is no answer."""
        messages = [*self._messages, {"role": "user", "content": text}]
        attempts = answers = limits = 0
        while True:
            await self._sleep(place, place.endpoint.pause())
            try:
                reply = await place.endpoint.ask(messages)
                answers += 1
                parse_answer(reply.text)
                return {"answer": reply.text}
            except AnswerError as error:
                if answers >= self._persistence.answer_attempts:
                    cut = " (cut off)" if reply.finish_reason == "length" else ""
                    return {"answer": reply.text, "error": f"unusable answer: {error}{cut}"}
            except RateLimitedError:
                limits += 1
                if limits >= self._persistence.rate_limits:
                    raise
            except NoAnswerError:
                attempts += 1
                if attempts >= self._persistence.attempts:
                    raise
                await self._sleep(place, backoff(attempts, self._persistence.backoff))

    async def _sleep(self, place: _Place, seconds: float) -> None:
        """Wait, but no longer than there is something to wait for."""
        if seconds > 0:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)
        if self._stopping.is_set() or place.given_up is not None:
            raise _StoppedError

    def _suspect(self, place: _Place, query: _Query, reason: str) -> None:
        """It may be the query, or the endpoint: that shows with the next answer."""
        if place.given_up is not None:
            self._returned.append(query)
            return
        place.suspects.append((query, reason))
        if len(place.suspects) >= self._persistence.breaker:
            error = EndpointError(
                f"{place.endpoint.url}: {len(place.suspects)} queries in a row ran out of "
                f"attempts, the last with: {reason}"
            )
            self._give_up(place, error)

    def _give_up(self, place: _Place, error: EndpointError) -> None:
        place.given_up = place.given_up or error
        self._returned.extend(query for query, _ in place.suspects)
        place.suspects.clear()

    def _settle(self, place: _Place) -> None:
        """The endpoint works, so what it gave nothing for has failed."""
        for (row, _), reason in place.suspects:
            self._keep(row, {"error": reason})
        place.suspects.clear()

    def _keep(self, row: int, entry: dict[str, Any]) -> None:
        self._journal.append(row, entry)
        self._bar.update()


async def _together(coroutines: Sequence[Any]) -> None:
    """Run coroutines; if one fails, cancel the others before its error goes on."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
