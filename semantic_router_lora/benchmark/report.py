"""Tables of benchmark results, as Markdown and for the terminal."""

from __future__ import annotations

from semantic_router_lora.benchmark.metrics import Figure
from semantic_router_lora.benchmark.results import BenchmarkResults, DomainResult
from semantic_router_lora.tables import Table

BASELINE = "baseline"
NONE = "–"


def margin_table(results: BenchmarkResults) -> Table:
    """Margins by domain: baseline, domain-specific, multi-domain, winner.

    The winner has the largest margin. Percentages are relative to the baseline's margin, and left
    out where that is not above zero.
    """
    general = [name for name in results.embedders if _is_general(results, name)]
    # one general adapter is called by its role, several by their names
    columns: dict[str, str | None]
    if len(general) > 1:
        columns = {name: name for name in general}
    else:
        columns = {"Multi-domain": general[0] if general else None}
    rows: list[tuple[str, ...]] = []
    for domain in results.domains:
        shown = {"Baseline": BASELINE, "Domain-specific": _best_special(results, domain)} | columns
        margins = {head: _margin(domain, name) for head, name in shown.items()}
        winner = max(margins, key=lambda head: -9.0 if (m := margins[head]) is None else m)
        cells = [_cell(margin, margins["Baseline"]) for margin in margins.values()]
        rows.append((domain.domain, f"{domain.triplets:,}", *cells, winner))
    return Table(
        f"Similarity margin, base {results.base}",
        ("Domain", "Test triplets", "Baseline margin", "Domain-specific", *columns, "Winner"),
        rows,
    )


def _best_special(results: BenchmarkResults, domain: DomainResult) -> str | None:
    special = [n for n, info in results.embedders.items() if info.domains == [domain.domain]]
    return max(special, key=lambda name: domain.figures[name]["margin"].value, default=None)


def figures_table(results: BenchmarkResults) -> Table:
    """Every metric of every embedder by domain, with 95 % intervals."""
    rows: list[tuple[str, ...]] = []
    for domain in results.domains:
        for name, metrics in domain.figures.items():
            rows.append(
                (
                    domain.domain,
                    name,
                    _interval(metrics["margin"]),
                    _interval(metrics["cosine_accuracy"]),
                    _interval(metrics["average_precision"]),
                )
            )
    return Table(
        "All figures with 95 % bootstrap intervals",
        ("Domain", "Encoder", "Margin", "Cosine accuracy", "Average precision"),
        rows,
    )


def to_markdown(results: BenchmarkResults) -> str:
    """Both tables, and how they were made."""
    made = results.environment
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    return (
        f"{margin_table(results).to_markdown()}\n{figures_table(results).to_markdown()}\n"
        f"Made by `{results.command}` on {made['time'][:10]}, seed {results.seed}, "
        f"{made['device']}, {made['threads']} threads; {versions}.\n"
    )


def _is_general(results: BenchmarkResults, name: str) -> bool:
    """An adapter that is not known to be for a single domain of this run."""
    domains = results.embedders[name].domains
    measured = {domain.domain for domain in results.domains}
    return name != BASELINE and not (len(domains) == 1 and domains[0] in measured)


def _margin(domain: DomainResult, name: str | None) -> float | None:
    return None if name is None else domain.figures[name]["margin"].value


def _cell(margin: float | None, baseline: float | None) -> str:
    if margin is None:
        return NONE
    if baseline is None or margin == baseline or baseline <= 0:
        return f"{margin:.4f}"
    return f"{margin:.4f} ({(margin - baseline) / baseline:+.1%})"


def _interval(figure: Figure) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
