"""Near misses that an adapter takes for paraphrases, found by measurement on dev."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from semantic_router_lora.benchmark.suite import DOMAINS, GENERAL, Suite, bundled_file, load_suites
from semantic_router_lora.card.facts import Facts
from semantic_router_lora.card.failures import WORST_TRAPS, pooled_traps
from semantic_router_lora.card.markdown import cells, plain, table, unescaped
from semantic_router_lora.data.triplets import Triplet
from semantic_router_lora.embedder import Embedder

HEADS = (
    "Domain, kind",
    "Question",
    "Paraphrase",
    "Cosine",
    "Near miss",
    "Cosine",
)
EACH_TRAP = 2
_LONGEST = 200


@dataclass(frozen=True)
class Example:
    """A dev triplet whose near miss lies closer to the question than the paraphrase.

    Attributes:
        kind: domain, and trap if the row has one.
        anchor: the question.
        positive: the paraphrase.
        positive_cosine: of question and paraphrase, with two decimals.
        negative: the near miss.
        negative_cosine: of question and near miss, with two decimals.
    """

    kind: str
    anchor: str
    positive: str
    positive_cosine: str
    negative: str
    negative_cosine: str

    @property
    def texts(self) -> tuple[str, str, str]:
        """Question, paraphrase and near miss."""
        return (self.anchor, self.positive, self.negative)


def dev_suites(facts: Facts, named: Sequence[str]) -> list[Suite]:
    """Where to look for examples: files that are named, else the bundled dev triplets.

    Of the bundled ones, those that thresholds were chosen on come first, then all; of them, those
    of domains that the adapter was trained on.
    """
    if named:
        return load_suites(named)
    bundled = [str(bundled_file(domain, "dev")) for domain in (*DOMAINS, GENERAL)]
    suites = load_suites(bundled)
    if facts.results is not None:
        used = {suite.dev_sha256 for suite in facts.results.suites}
        suites = [suite for suite in suites if suite.sha256 in used] or suites
    return [suite for suite in suites if suite.domain in facts.domains] or suites


def find_examples(embedder: Embedder, facts: Facts, suites: Sequence[Suite]) -> list[Example]:
    """The clearest failures of the worst traps, at most two a trap, of different domains."""
    from semantic_router_lora.benchmark.similarities import similarities_of

    worst = list(pooled_traps(facts.results))[:WORST_TRAPS] if facts.results else []
    rows = [
        (suite.domain, triplet)
        for suite in suites
        for triplet in suite.triplets
        if (not worst or triplet.trap in worst) and max(map(len, triplet.texts)) <= _LONGEST
    ]
    if not rows:
        return []
    together = Suite("dev", tuple(triplet for _, triplet in rows), "", "", len(rows))
    (cosines,) = similarities_of(embedder, [together])
    gaps = cosines.negative - cosines.positive
    most = EACH_TRAP if any(triplet.trap for _, triplet in rows) else EACH_TRAP * WORST_TRAPS
    chosen: dict[str, list[Example]] = {trap: [] for trap in worst}
    seen: set[tuple[str, str]] = set()
    for place in gaps.argsort()[::-1]:
        domain, triplet = rows[place]
        of_trap = chosen.setdefault(triplet.trap or "", [])
        again = len(suites) > 1 and (domain, triplet.trap or "") in seen
        if gaps[place] > 0 and len(of_trap) < most and not again:
            seen.add((domain, triplet.trap or ""))
            pair = (float(cosines.positive[place]), float(cosines.negative[place]))
            of_trap.append(_example(domain, triplet, *pair))
    shown = [example for of_trap in chosen.values() for example in of_trap]
    return shown[: EACH_TRAP * WORST_TRAPS]


def _example(domain: str, triplet: Triplet, positive: float, negative: float) -> Example:
    anchor, paraphrase, near_miss = (" ".join(text.split()) for text in triplet.texts)
    kind = f"{domain}, {triplet.trap}" if triplet.trap else domain
    return Example(kind, anchor, paraphrase, f"{positive:.2f}", near_miss, f"{negative:.2f}")


def examples_table(examples: Iterable[Example]) -> str:
    """As Markdown."""
    rows = [
        (
            plain(example.kind),
            plain(example.anchor),
            plain(example.positive),
            example.positive_cosine,
            plain(example.negative),
            example.negative_cosine,
        )
        for example in examples
    ]
    return table(HEADS, rows, numbers_from=len(HEADS))


def examples_in(section: str) -> list[Example]:
    """The examples that stand in a section of a card."""
    lines = iter(section.splitlines())
    for line in lines:
        if line.startswith("|") and tuple(cells(line)) == HEADS:
            break
    found = []
    for line in lines:
        parts = [unescaped(cell) for cell in cells(line)] if line.startswith("|") else []
        if len(parts) != len(HEADS):
            break
        if set(line) - set("|-: "):
            found.append(Example(*parts))
    return found
