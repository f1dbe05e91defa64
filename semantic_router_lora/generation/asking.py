"""Ask a model about every query that has no answer yet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from semantic_router_lora.errors import EndpointError
from semantic_router_lora.generation.answers import AnswerError, parse_answer
from semantic_router_lora.generation.endpoints import Endpoint, backoff
from semantic_router_lora.generation.interrupts import interruptible
from semantic_router_lora.generation.journal import Journal
from semantic_router_lora.generation.places import Persistence, Place, Query, next_places
from semantic_router_lora.generation.prompts import Prompt
from semantic_router_lora.generation.queries import QueryFile
from semantic_router_lora.generation.replies import (
    NoAnswerError,
    QueryRefusedError,
    RateLimitedError,
    UnreachableError,
)


class _StoppedError(Exception):
    """No further attempt: the run stops, or the endpoint was given up."""


class Asking:
    """One run over the queries that a journal has no answer for.

    Several endpoints share the queries: each takes the next one when it has a place free. An
    endpoint at which several queries in a row get no answer, or that cannot be reached to the
    end, is given up, and its queries go to the others. With the last endpoint the run ends,
    and these queries stay unanswered.

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
        self._returned: deque[Query] = deque()
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

        places = [Place(endpoint, self._persistence.breaker) for endpoint in endpoints]
        self._stopping = asyncio.Event()
        self._bar = tqdm(
            total=self._total, initial=len(self._journal), unit="query", disable=not show_progress
        )
        with self._bar, interruptible(self._stopping):
            try:
                asked = places
                while asked:
                    await _together(
                        [self._work(p) for p in asked for _ in range(self._concurrency)]
                    )
                    if self._stopping.is_set():
                        return False  # suspects have not failed yet
                    asked, handed_over = next_places(places, asked)
                    self._returned.extend(handed_over)
                    if not self._returned:
                        break
            finally:
                for endpoint in endpoints:
                    await endpoint.close()
        if not asked:
            raise EndpointError(
                f"{self._total - len(self._journal)} of {self._total} queries have no answer yet; "
                f"go on with --resume. {'; '.join(str(place.given_up) for place in places)}"
            )
        for place in asked:
            self._settle(place)
        return True

    async def _work(self, place: Place) -> None:
        try:
            while place.given_up is None and not self._stopping.is_set():
                query = self._returned.popleft() if self._returned else next(self._pending, None)
                if query is None:
                    return
                await self._do(place, query)
        except BaseException:  # such as a full disk: the others may still finish
            self._stopping.set()
            raise

    async def _do(self, place: Place, query: Query) -> None:
        try:
            entry = await self._ask(place, query[1])
        except _StoppedError:
            self._returned.append(query)
        except EndpointError as error:
            self._returned.append(query)
            place.give_up(str(error))
        except (NoAnswerError, QueryRefusedError) as error:
            place.suspect(query, error)
        else:
            place.answered = True
            self._settle(place)
            self._keep(query[0], entry)
        if place.given_up is not None:
            self._returned.extend(query for query, _ in place.take_suspects())

    async def _ask(self, place: Place, text: str) -> dict[str, Any]:
        """The journal's entry for a query; raises the last error if there is no answer."""
        messages = [*self._messages, {"role": "user", "content": text}]
        attempts = answers = limits = 0
        while True:
            while seconds := place.endpoint.pause():  # which may grow meanwhile
                await self._sleep(place, seconds)
            self._check(place)
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

    async def _sleep(self, place: Place, seconds: float) -> None:
        """Wait, but no longer than there is something to wait for."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        self._check(place)

    def _check(self, place: Place) -> None:
        if self._stopping.is_set() or place.given_up is not None:
            raise _StoppedError

    def _settle(self, place: Place) -> None:
        """The endpoint works, so what it gave nothing for has failed, if it got there at all."""
        for query, error in place.take_suspects():
            if isinstance(error, UnreachableError):
                self._returned.append(query)
            else:
                self._keep(query[0], {"error": str(error)})

    def _keep(self, row: int, entry: dict[str, Any]) -> None:
        self._journal.append(row, entry)
        self._bar.update()


async def _together(coroutines: Sequence[Any]) -> None:
    """Run coroutines to their ends; then raise the error of the first that failed."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        results = await asyncio.gather(*tasks, return_exceptions=True)
    finally:  # after a cancellation from outside
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if result is not None:
            raise result
