"""Filling the template of a card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from semantic_router_lora.card.examples import Example, examples_table
from semantic_router_lora.card.facts import Facts
from semantic_router_lora.card.failures import order_sentence, traps_table, worse_slices
from semantic_router_lora.card.markdown import (
    NOT_RECORDED,
    listed,
    paragraph,
    plain,
    point,
    sections,
)
from semantic_router_lora.card.measured import measured_section, thresholds_section
from semantic_router_lora.card.running import BaseSettings
from semantic_router_lora.card.snippets import code_values, encoder_options, where
from semantic_router_lora.card.stated import Stated
from semantic_router_lora.card.trained import (
    adapter_section,
    data_section,
    left_out,
    training_section,
)

NOTES = "Notes"


@dataclass(frozen=True)
class CardContent:
    """Everything that a card is made of.

    Attributes:
        facts: from the files of the folder.
        stated: by a person.
        reference: how code names the adapter: a bundled name, a Hub id or ``./folder``.
        settings: of the base.
        dev: files of dev triplets that were looked at for failures, with their SHA-256.
        examples: of failures.
    """

    facts: Facts
    stated: Stated
    reference: str
    settings: BaseSettings
    dev: Mapping[str, str]
    examples: list[Example]

    @property
    def name(self) -> str:
        """The adapter's name: as it was trained, else the last part of its reference."""
        return plain(self.facts.name or self.reference.rpartition("/")[2])


def body(content: CardContent) -> str:
    """The card below its metadata."""
    facts, stated = content.facts, content.stated
    found = facts.results
    missing = f"{NOT_RECORDED.capitalize()}: the folder has no evaluation_results.json."
    notes = f"## {NOTES}\n\n{stated.notes.strip()}\n\n" if stated.notes else ""
    template = files("semantic_router_lora.card") / "template.md"
    return Template(template.read_text(encoding="utf-8")).substitute(
        code_values(content.reference, facts, content.settings),
        name=content.name,
        summary=_summary(content),
        where=where(content.reference),
        adapter_facts=adapter_section(facts, stated),
        measured=measured_section(found) if found else missing,
        thresholds=thresholds_section(found, encoder_options(content.reference, facts))
        if found
        else missing,
        limits=_limits(content),
        notes_section=notes,
        data=data_section(facts, stated),
        training=training_section(facts),
        citation=_citation(content),
    )


def notes_in(text: str) -> str | None:
    """The notes that stand in the body of a card."""
    return dict(sections(text)).get(NOTES) or None


def _summary(content: CardContent) -> str:
    facts = content.facts
    weights = f"{facts.weights.parameters:,} weights"
    domains = [plain(domain) for domain in facts.domains]
    trained = f" It was trained on these domains: {listed(domains)}." if domains else ""
    return paragraph(
        f"A LoRA adapter ({weights}) for the sentence encoder {plain(facts.base.name)}, for "
        "semantic caches and routers. It is meant to move paraphrases of a question closer to it, "
        "and near misses, which share its words but need another answer, away from it." + trained
    )


def _limits(content: CardContent) -> str:
    facts, settings = content.facts, content.settings
    found = facts.results
    points = []
    if found is not None:
        points += [order_sentence(found), worse_slices(found)]
    if traps := left_out(facts):
        points.append(
            f"Near misses of the kind {listed(map(plain, traps))} were left out of training "
            "(`skip_traps`)."
        )
    languages = listed(map(plain, content.stated.language))
    length = settings.max_seq_length
    points.append(
        f"Language: {languages or NOT_RECORDED}. "
        + (f"Texts are cut at {length} tokens. " if length is not None else "")
        + "Vectors of different adapters, and of the base model, do not mix."
    )
    parts = ["\n".join(point(item) for item in points if item)]
    if found is not None:
        parts.append(traps_table(found))
    files = listed(map(plain, content.dev))
    if content.examples:
        parts.append(
            paragraph(
                f"Dev triplets ({files}) whose near miss this adapter puts closer to the question "
                "than the paraphrase; of the worst kinds, those with the widest gap:"
            )
        )
        parts.append(examples_table(content.examples))
    else:
        parts.append(paragraph(f"None of the dev triplets of {files} is such a failure."))
    return "\n\n".join(part for part in parts if part)


def _citation(content: CardContent) -> str:
    name = content.name
    key = re.sub(r"\W+", "_", name).strip("_").lower()
    found = content.facts.results
    lines = [f"  title  = {{{name}: a LoRA adapter for {plain(content.facts.base.name)}}}"]
    if content.stated.author:
        lines.append(f"  author = {{{plain(content.stated.author)}}}")
    if found is not None:
        lines.append(f"  year   = {{{plain(found.results.environment['time'])[:4]}}}")
    if content.stated.repo_id:
        lines.append(f"  url    = {{https://huggingface.co/{content.stated.repo_id}}}")
    entry = "@misc{" + key + ",\n" + ",\n".join(lines) + "\n}"
    author = "" if content.stated.author else f"Author: {NOT_RECORDED}.\n\n"
    return f"{author}```bibtex\n{entry}\n```\n\n" + paragraph(
        "LoRA: Hu et al. 2021, arXiv 2106.09685. Sentence encoders: Reimers and Gurevych 2019, "
        "arXiv 1908.10084."
    )
