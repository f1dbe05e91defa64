"""The endpoints of a job: how often they are tried, and which of them still work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from semantic_router_lora.errors import EndpointError, InputError
from semantic_router_lora.generation.endpoints import Endpoint
from semantic_router_lora.generation.replies import UnreachableError

Query: TypeAlias = tuple[int, str]  # row and text


@dataclass(frozen=True)
class Persistence:
    """How often to try.

    Attributes:
        attempts: requests for a query before it counts as failed.
        answer_attempts: answers to a query before an unusable one is kept; each is paid for.
        rate_limits: answers of status 429 to a query before it counts as failed.
        breaker: queries in a row that get no answer before an endpoint is given up.
        backoff: seconds to wait after the first attempt; doubled after each further one.

    Raises:
        InputError: if a value is out of range.
    """

    attempts: int = 6
    answer_attempts: int = 2
    rate_limits: int = 60
    breaker: int = 10
    backoff: float = 0.5

    def __post_init__(self) -> None:
        for name in ("attempts", "answer_attempts", "rate_limits", "breaker"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected at least 1")
        if not self.backoff >= 0:
            raise InputError(f"backoff is {self.backoff}, expected 0 seconds or more")


@dataclass(eq=False)
class Place:
    """An endpoint, and the queries in a row that got no answer there.

    It may be these queries, or the endpoint: that shows with its next answer.

    Attributes:
        endpoint: the endpoint.
        breaker: as many such queries are too many.
        suspects: these queries, each with its last error.
        answered: whether it has answered anything.
        given_up: why nothing is asked here any more.
    """

    endpoint: Endpoint
    breaker: int
    suspects: list[tuple[Query, Exception]] = field(default_factory=list)
    answered: bool = False
    given_up: EndpointError | None = None

    def suspect(self, query: Query, error: Exception) -> None:
        """Note a query that got no answer; one too many, and the endpoint is given up."""
        self.suspects.append((query, error))
        if len(self.suspects) >= self.breaker:
            self.give_up(
                f"{len(self.suspects)} queries in a row got no answer (if it is the queries, "
                f"raise --breaker), the last with: {error}"
            )

    def give_up(self, reason: str) -> None:
        """Ask nothing here any more."""
        self.given_up = self.given_up or EndpointError(f"{self.endpoint.url}: {reason}")

    def give_up_unreachable(self) -> None:
        """Give the endpoint up if it could not be reached and has answered nothing since."""
        for _, error in self.suspects:
            if isinstance(error, UnreachableError):
                self.give_up(str(error))

    def take_suspects(self) -> list[tuple[Query, Exception]]:
        """The suspects, which are none from then on."""
        taken, self.suspects = self.suspects, []
        return taken


def next_places(places: list[Place], asked: list[Place]) -> tuple[list[Place], list[Query]]:
    """Who does what is left when nobody has anything to do, and what is to be asked once more.

    Args:
        places: all there are.
        asked: those that worked last.

    Returns:
        Of these, the places that look best; if all are given up, whatever else there is. And the
        suspects of the others.
    """
    for place in asked:
        place.give_up_unreachable()
    alive = [place for place in places if place.given_up is None]
    candidates = [place for place in asked if place.given_up is None] or alive
    best = min(map(_doubt, candidates), default=None)
    chosen = [place for place in candidates if _doubt(place) == best]
    handed_over = [
        query for place in places if place not in chosen for query, _ in place.take_suspects()
    ]
    for place in chosen:
        place.breaker += len(handed_over)  # these are suspected already: they prove nothing
    return chosen, handed_over


def _doubt(place: Place) -> tuple[bool, int]:
    return not place.answered, len(place.suspects)
