"""Which request gets which fault: a plan that depends on nothing but the query and counts.

A plan is a list of rules, as JSON::

    [{"fault": "429", "share": 0.1, "seed": 1, "times": 2, "retry_after": 0.5},
     {"fault": "reset", "contains": "diabetes", "times": null},
     {"fault": "503", "after": 100, "until": 200, "times": null}]

The first rule that applies decides. A rule without ``share``, ``contains``, ``after`` and ``until``
applies to every query.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FAULTS: Mapping[str, str] = {
    "400": "bad request: the context is too long",
    "401": "wrong key, whatever key was sent",
    "403": "a firewall that takes the query for an attack",
    "404": "model not found",
    "429": "rate limit, with Retry-After where the rule has `retry_after`",
    "500": "internal error",
    "502": "HTML page of a proxy whose upstream is down",
    "503": "overloaded",
    "slow": "a good answer after `seconds`",
    "reset": "TCP reset instead of a response",
    "close": "TCP close instead of a response",
    "hang": "no response, the connection stays open",
    "truncated_body": "fewer bytes than Content-Length says, then TCP close",
    "drip": "a byte of the body each tenth of a second",
    "invalid_json": "a body that is cut JSON",
    "invalid_utf8": "bytes within the answer that are no UTF-8",
    "html": "status 200 with an HTML error page",
    "wrong_schema": "a JSON object without choices",
    "empty_choices": "no choice",
    "null_content": "a choice whose content is null",
    "truncated_answer": "the answer is cut in half, finish_reason length",
    "refusal": "a sentence that refuses instead of the answer",
}


@dataclass(frozen=True)
class Rule:
    """One fault and the requests that get it.

    Attributes:
        fault: a key of FAULTS.
        share: share of the queries, chosen by a hash of seed and query.
        seed: rules with different seeds choose independently.
        times: how many first attempts of a query get it; None means all.
        contains: only queries that contain this text.
        after: only requests after this many requests to the server.
        until: only requests up to this many.
        retry_after: value of the Retry-After header, in seconds.
        seconds: how long "slow" takes.
    """

    fault: str
    share: float = 1.0
    seed: int = 0
    times: int | None = 1
    contains: str = ""
    after: int = 0
    until: int | None = None
    retry_after: float | None = None
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"no fault {self.fault!r}; known: {', '.join(FAULTS)}")

    def chooses(self, query: str) -> bool:
        """Whether the query is among those that get the fault."""
        digest = hashlib.sha256(f"{self.seed} {query}".encode()).digest()
        return self.contains in query and int.from_bytes(digest[:8], "big") < self.share * 2**64

    def applies(self, query: str, attempt: int, number: int) -> bool:
        """Whether this attempt (from 1) of the query, request `number` (from 1), gets the fault."""
        return (
            (self.times is None or attempt <= self.times)
            and self.after < number
            and (self.until is None or number <= self.until)
            and self.chooses(query)
        )


def first_rule(plan: Iterable[Rule], query: str, attempt: int, number: int) -> Rule | None:
    """The rule that decides, or None for a good answer."""
    return next((rule for rule in plan if rule.applies(query, attempt, number)), None)


def read_plan(path: Path) -> list[Rule]:
    """Rules of a JSON file.

    Raises:
        ValueError: if a rule names an unknown fault.
        TypeError: if a rule has an unknown field.
    """
    return [Rule(**rule) for rule in json.loads(path.read_text(encoding="utf-8"))]


def plan_json(plan: Iterable[Rule | Mapping[str, Any]]) -> str:
    """Rules as `read_plan` reads them."""
    rules = [rule if isinstance(rule, Rule) else Rule(**rule) for rule in plan]
    return json.dumps([dataclasses.asdict(rule) for rule in rules])
