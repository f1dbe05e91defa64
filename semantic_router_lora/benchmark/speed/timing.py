"""Timing encoders in turns, so that what the machine does besides hits all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

WORKLOADS = ("A", "B", "C p50", "C p99", "D")


@dataclass
class Timings:
    """Seconds of every round, by workload and encoder."""

    seconds: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: {workload: {} for workload in WORKLOADS}
    )

    def add(self, workload: str, peer: str, seconds: float) -> None:
        """Keep the time of one round."""
        self.seconds[workload].setdefault(peer, []).append(seconds)

    def ratios(self, workload: str, peer: str, reference: str) -> list[float]:
        """How many times as fast as the reference, round by round."""
        times, others = self.seconds[workload].get(peer), self.seconds[workload].get(reference)
        if not times or not others:
            return []
        return [other / own for own, other in zip(times, others, strict=True)]


def time_peers(
    peers: Mapping[str, Callable[[], Mapping[str, float]]],
    rounds: int,
    progress: Callable[[str], None],
) -> Timings:
    """Time all encoders in every round, in an order that turns from round to round.

    Args:
        peers: by name, what times all workloads on an encoder once, in seconds.
        rounds: of all encoders.
        progress: called with what is being done.
    """
    timings = Timings()
    names = list(peers)
    for number in range(rounds):
        turn = number % len(names)
        for name in [*names[turn:], *names[:turn]]:
            progress(f"round {number + 1} of {rounds}: {name}")
            for workload, seconds in peers[name]().items():
                timings.add(workload, name, seconds)
    return timings
