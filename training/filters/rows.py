"""Candidates out of the training rows: good ones, and ones with a known fault planted."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from semantic_router_lora.data.triplets import Triplet, read_triplets
from semantic_router_lora.generation.filters.candidate import Candidate
from semantic_router_lora.generation.prompts import Prompt

DATA = Path(__file__).parents[1] / "data"
PLANTED = Path(__file__).parent / "planted.yaml"
_FAMILY = 3  # rows: three wordings of a question and three near misses

Family = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]


def single_rows() -> list[Triplet]:
    """The rows that stand for themselves."""
    return [
        row
        for path in sorted(DATA.glob("*.jsonl"))
        if not path.name.startswith("families-")
        for row in read_triplets(path)
    ]


def families() -> list[Family]:
    """(three wordings, three (trap, near miss)) of each family."""
    found: list[Family] = []
    for path in sorted(DATA.glob("families-*.jsonl")):
        rows = read_triplets(path)
        for start in range(0, len(rows), _FAMILY):
            family = rows[start : start + _FAMILY]
            wordings = tuple(dict.fromkeys(text for row in family for text in row.texts[:2]))
            if len(wordings) != _FAMILY:
                raise ValueError(f"{path}:{start + 1}: no family of three rows")
            found.append((wordings, tuple((str(row.trap), row.negative) for row in family)))
    return found


def good_candidates() -> list[Candidate]:
    """Every row and family, as if a model had written it for the first of its wordings."""
    singles = [
        Candidate(row.anchor, (row.positive,), ((str(row.trap), row.negative),))
        for row in single_rows()
    ]
    grouped = [Candidate(words[0], words[1:], negatives) for words, negatives in families()]
    return singles + grouped


def one_paraphrase_each() -> tuple[list[Candidate], list[Candidate]]:
    """Every two wordings of a family with its near misses, and with its third wording as one."""
    true, false = [], []
    for wordings, negatives in families():
        for query, paraphrase, third in itertools.permutations(wordings):
            true.append(Candidate(query, (paraphrase,), negatives))
            false.append(Candidate(query, (paraphrase,), (("planted", third),)))
    return true, false


def of_other_questions(seed: int) -> list[Candidate]:
    """Each query with a paraphrase of a random other question of its domain."""
    generator = random.Random(seed)
    rows = single_rows()
    of_domain: dict[str | None, list[Triplet]] = defaultdict(list)
    for row in rows:
        of_domain[row.domain].append(row)
    planted = []
    for row in rows:
        other = generator.choice([r for r in of_domain[row.domain] if r.group != row.group])
        planted.append(Candidate(row.anchor, (other.positive,), ()))
    return planted


def near_misses_as_paraphrases() -> dict[str, list[Candidate]]:
    """Each near miss in the place of a paraphrase, by trap."""
    planted: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in good_candidates():
        for trap, text in candidate.negatives:
            planted[trap].append(Candidate(candidate.query, (text,), ()))
    return dict(planted)


def repeated() -> dict[str, list[Candidate]]:
    """Copies, duplicates and near duplicates of good texts, by the filter for them."""
    good = good_candidates()
    return {
        "copy": [
            Candidate(one.query, (one.query.upper().rstrip("?. "),), (("scope", one.query + " "),))
            for one in good
        ],
        "duplicate": [
            Candidate(
                one.query,
                (one.paraphrases[0], one.paraphrases[0].lower() + "!"),
                (("scope", one.paraphrases[0]),),
            )
            for one in good
        ],
        "near_duplicate": [
            Candidate(
                one.query,
                (one.paraphrases[0], "please, " + one.paraphrases[0]),
                (("scope", "Please, " + one.query),),
            )
            for one in good
        ],
    }


def shortened_examples(prompt: Prompt, queries: list[str]) -> list[Candidate]:
    """Examples of a prompt less their last two words, as answers to other queries."""
    texts = [text for example in prompt.examples for text in example.paraphrases]
    return [
        Candidate(query, (text.rsplit(maxsplit=2)[0],), ())
        for query, text in zip(itertools.cycle(queries), texts, strict=False)
        if len(text.split()) > 2
    ]


def written() -> dict[str, list[Candidate]]:
    """What planted.yaml holds, by filter."""
    content: dict[str, list[dict[str, Any]]] = yaml.safe_load(PLANTED.read_text(encoding="utf-8"))
    return {
        name: [Candidate(group["query"], tuple(group["texts"]), ()) for group in groups]
        for name, groups in content.items()
    }
