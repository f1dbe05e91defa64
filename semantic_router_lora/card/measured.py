"""The sections of a card that show what the benchmark measured."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from semantic_router_lora.benchmark.measure import Figure, wilson
from semantic_router_lora.benchmark.report import RANKING, figures_table, interval
from semantic_router_lora.card.figures import CardResults
from semantic_router_lora.card.markdown import code, paragraph, percent, plain, table

BUDGETS = (0.01, 0.05, 0.1, 0.2)


def measured_section(found: CardResults) -> str:
    """The figures of the base model and of the adapter, by domain, and how they were made."""
    title = "Telling paraphrases from near misses, on test"
    made = found.results.environment
    versions = made.get("versions")
    named = versions if isinstance(versions, dict) else {}
    packages = ", ".join(plain(f"{name} {number}") for name, number in named.items())
    files = ", ".join(f"{plain(s.source)} (`{plain(s.sha256)[:12]}`)" for s in found.suites)
    how = (
        "In brackets: 95 % intervals (bootstrap over triplets; Wilson's for shares). Cosine "
        "accuracy is the share of triplets whose paraphrase lies closer to the question than the "
        f"near miss. Made by {code(_command(found))} on {plain(made['time'])[:10]}, seed "
        f"{found.results.seed}, {plain(made.get('device'))}, {packages}; encoder `{found.label}` "
        f"had the fingerprint `{found.fingerprint}`. Test files (SHA-256): {files}. All figures: "
        "`evaluation_results.json`."
    )
    return figures_table(found.results, title, RANKING).to_markdown() + "\n" + paragraph(how)


def _command(found: CardResults) -> str:
    """The command that was run, without the folders of whoever ran it."""
    try:
        words = shlex.split(found.results.command)
    except ValueError:
        return found.results.command
    return shlex.join(Path(word).name if Path(word).is_absolute() else word for word in words)


def thresholds_section(found: CardResults, encoder: str) -> str:
    """What the thresholds from dev did on test, held against budgets of false hits.

    Args:
        found: what was measured.
        encoder: the options of ``calibrate`` that name this adapter.
    """
    rows = []
    for suite in found.suites:
        figures = suite.figures[found.label]
        if not {"threshold", "false_hit_rate", "recall", "precision"} <= figures.keys():
            continue
        rows.append(
            (
                suite.domain,
                f"{figures['threshold'].value:.3f}",
                *(interval(figures[name]) for name in ("false_hit_rate", "recall", "precision")),
                *(_verdict(figures, suite.triplets, budget) for budget in BUDGETS),
            )
        )
    if not rows:
        return paragraph(
            "None: the benchmark was run without dev triplets to choose a threshold on. Find yours "
            "on pairs of your own traffic with `semantic-router-lora calibrate`."
        )
    heads = ("Domain", "Threshold", "Near misses served", "Paraphrases served", "Right of served")
    budgets = (f"Budget {percent(budget)}" for budget in BUDGETS)
    before = (
        "A cache serves a stored answer if the cosine is at or above a threshold. These were "
        "chosen on dev (the lowest that served at most 5 % of its near misses), then tried on "
        "test. A budget of wrong answers is *kept* if the whole 95 % interval of the near misses "
        "served lies within it; *serves none* does so, but serves no paraphrase."
    )
    after = (
        f"{_no_safe_threshold(rows)}Every second pair of these files is a near miss, which is a "
        "worst case: the share of near misses in your traffic decides how many wrong answers you "
        "serve. Choose the threshold on pairs of your own traffic; `calibrate` refuses where they "
        "are too few to show that the budget is kept:"
    )
    command = f"semantic-router-lora calibrate pairs.jsonl {encoder} --max-false-hits 0.01"
    parts = (paragraph(before), table((*heads, *budgets), rows), paragraph(after))
    return "\n\n".join([*parts, f"```\n{command}\n```"])


def _verdict(figures: Mapping[str, Figure], triplets: int, budget: float) -> str:
    if wilson(0.0, triplets)[1] > budget:
        return "too few triplets"
    if figures["false_hit_rate"].high > budget:
        return "not shown"
    return "kept" if figures["recall"].value > 0 else "serves none"


def _no_safe_threshold(rows: list[tuple[str, ...]]) -> str:
    small = [percent(budget) for budget in BUDGETS if budget <= 0.05]
    columns = range(len(rows[0]) - len(BUDGETS), len(rows[0]) - len(BUDGETS) + len(small))
    if any(row[column] == "kept" for row in rows for column in columns):
        return ""
    return (
        f"**No threshold is shown to keep a budget of {' or '.join(small)} on these triplets**, in "
        "any domain. "
    )
