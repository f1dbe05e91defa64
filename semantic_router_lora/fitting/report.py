"""What a fit found, as numbers, Markdown and JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_router_lora.benchmark.measure import Figure
from semantic_router_lora.fitting.held_out import Choices, HeldOut, Rise
from semantic_router_lora.fitting.routes import NONE
from semantic_router_lora.fitting.scores import Scoring
from semantic_router_lora.fitting.thresholds import Applied, Thresholds
from semantic_router_lora.tables import Table

_SHOWN = 15


@dataclass(frozen=True)
class FitReport:
    """The outcome of `fit_adapter`.

    Attributes:
        kept: whether the router with the adapter is better than the router as it is by more than
            the interval, and than one that is only scored anew at all; if not, no adapter was
            written.
        adapter: folder of the adapter; None if it was not kept.
        router: the router file that uses it, or where it was not kept and another scoring alone
            helps, one with that; None without a file to rewrite, or if neither helps.
        rise: accuracy of the router as it is, and with the adapter and the scoring that serves it
            best.
        share: what of it is the adapter's: accuracy without and with it, each with its scoring.
        rescored: accuracy without it, by the router's own scoring and by the one that serves best.
        own_scoring: the router's.
        scoring_before: the scoring that serves best without the adapter.
        scoring: the one that serves best with it.
        folds: how many there were; 1 for a validation set.
        routes: names of the routes.
        texts: the held-out queries.
        labels: number of the right route of each, or -1.
        before: number of the route that was chosen for each, without the adapter.
        after: the same with it.
        thresholds: for the router with the adapter, or if it was not kept without it.
        calibration_error: for the same, of the raw score and of the calibrated probability, taken
            for how likely a choice is right; None if it could not be calibrated.
        applied: what thresholds that are fitted like these make of held-out queries, without the
            adapter and with it.
        auroc: how well scores part queries with a route from those without, before and after;
            None without such queries.
        general: average precision on the bundled general suite before and after.
        seconds: how long it took.
    """

    kept: bool
    adapter: str | None
    router: str | None
    rise: Rise
    share: Rise
    rescored: Rise
    own_scoring: Scoring
    scoring_before: Scoring
    scoring: Scoring
    folds: int
    routes: tuple[str, ...]
    texts: tuple[str, ...]
    labels: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    thresholds: Thresholds
    calibration_error: tuple[float, float | None]
    applied: tuple[Applied, Applied]
    auroc: tuple[float, float] | None
    general: tuple[Figure, Figure] | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values; routes by name, None where no route is right."""
        content = asdict(self)
        for key in ("labels", "before", "after"):
            content[key] = [self._name(number) for number in content[key]]
        by_route = self.thresholds.by_route.items()
        content["thresholds"]["by_route"] = {self.routes[n]: value for n, value in by_route}
        content["confused"] = [
            {"route": right, "chosen": chosen, "before": before, "after": after}
            for right, chosen, before, after in self.confused()
        ]
        return content

    def confused(self) -> list[tuple[str, str, int, int]]:
        """(right route, chosen one, how often before, after) of wrong choices, most often first."""
        counts = [
            Counter(
                (label, chosen)
                for label, chosen in zip(self.labels, found, strict=True)
                if label not in (chosen, NONE)
            )
            for found in (self.before, self.after)
        ]
        pairs = sorted(
            set(counts[0]) | set(counts[1]),
            key=lambda pair: (-counts[0][pair] - counts[1][pair], pair),
        )
        return [
            (
                self.routes[label],
                self.routes[chosen],
                counts[0][label, chosen],
                counts[1][label, chosen],
            )
            for label, chosen in pairs
        ]

    def tables(self) -> list[Table]:
        """The figures, the confusions and the queries that changed."""
        rise, share, (error, calibrated) = self.rise, self.share, self.calibration_error
        rows: list[tuple[str, ...]] = [
            ("scoring", *map(words, (self.own_scoring, self.scoring_before, self.scoring))),
            (
                "accuracy",
                f"{rise.before:.3f}",
                f"{share.before:.3f}",
                f"{share.after:.3f}",
            ),
            ("more than as it is", "", _difference(self.rescored), _difference(rise)),
            ("more than scored anew", "", "", _difference(share)),
        ]
        shares = [f"{applied.routed:.3f}" for applied in self.applied]
        rows.append(("accuracy with a threshold", "", *shares))
        if self.auroc is not None:
            refused = [f"{applied.refused:.3f}" for applied in self.applied]
            rows.append(("out of scope, refused by the threshold", "", *refused))
            rows.append(("out of scope, AUROC", "", *(f"{value:.3f}" for value in self.auroc)))
        probability = self.thresholds.probability
        chosen = "" if probability is None else f"; probability {probability:.3f}"
        written = f"score {self.thresholds.score:.4f}{chosen}"
        rows.append(("threshold", *self._at_the_kept(written)))
        shown = f"{error:.3f}; " + ("–" if calibrated is None else f"{calibrated:.3f}")
        rows.append(("calibration error: raw score; calibrated", *self._at_the_kept(shown)))
        if self.general is not None:
            rows.append(("general suite, average precision", "", *map(_figure, self.general)))
        changed = self.changed()
        tables = [
            Table(
                f"{rise.queries} held-out queries with a route, {len(self.routes)} routes",
                ("", "as it is", "scored anew", "with the adapter"),
                rows,
            )
        ]
        if confused := self.confused():
            tables.append(
                Table(
                    f"Confusions, the {min(_SHOWN, len(confused))} most frequent",
                    ("right route", "chosen", "before", "after"),
                    [(a, b, str(c), str(d)) for a, b, c, d in confused[:_SHOWN]],
                )
            )
        if changed:
            tables.append(
                Table(
                    f"Queries that changed, {min(_SHOWN, len(changed))} of {len(changed)}",
                    ("query", "right route", "before", "after"),
                    changed[:_SHOWN],
                )
            )
        return tables

    def changed(self) -> list[tuple[str, ...]]:
        """(query, right route, before, after) of queries whose choice became right or wrong."""
        return [
            (text, self.routes[label], self.routes[before], self.routes[after])
            for text, label, before, after in zip(
                self.texts, self.labels, self.before, self.after, strict=True
            )
            if label != NONE and (before == label) != (after == label)
        ]

    def verdict(self) -> str:
        """One sentence: whether the adapter was kept, and why."""
        figures = (
            f"with the adapter {self.rise.after:.3f} of {self.rise.queries} held-out queries are "
            f"routed right, {self.rise.before:.3f} as the router is ({self.rise}), and "
            f"{self.share.before:.3f} if it is only scored anew ({self.share})"
        )
        if self.kept:
            return f"Kept: {figures}"
        if self.share.is_positive:
            verdict = f"Not kept, because it may be chance: {figures}"
        else:
            verdict = f"Not kept, because the adapter gains nothing: {figures}"
        if not self.rescored.holds:
            return verdict
        return f"{verdict}. The router is scored anew: {words(self.scoring_before)}"

    def _at_the_kept(self, value: str) -> tuple[str, str, str]:
        """In the column of the router that is proposed."""
        return ("", "", value) if self.kept else ("", value, "")

    def _name(self, number: int) -> str | None:
        return None if number == NONE else self.routes[number]


def numbers(values: NDArray[np.intp]) -> tuple[int, ...]:
    """As plain integers."""
    return tuple(int(value) for value in values)


def changed_choices(held_out: HeldOut, before: Choices, after: Choices) -> dict[str, Any]:
    """The fields of a report that go by query."""
    return {
        "texts": held_out.texts,
        "labels": numbers(held_out.labels),
        "before": numbers(before.routes),
        "after": numbers(after.routes),
    }


def words(scoring: Scoring) -> str:
    """A scoring as tables show it."""
    words = f"{scoring.aggregation} of {scoring.top_k}"
    if scoring.centroid_weight:
        words += f", centroid weight {scoring.centroid_weight:g}"
    return words


def _difference(rise: Rise) -> str:
    return f"{rise.after - rise.before:+.3f} [{rise.low:+.3f}, {rise.high:+.3f}]"


def _figure(figure: Figure) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
