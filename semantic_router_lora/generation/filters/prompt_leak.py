"""Text of the prompt, labels, placeholders and markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.data.words import words
from semantic_router_lora.generation.filters.candidate import Candidate, CandidateFilter, Reasons

_TRAP = "|".join(TRAPS)
_LABEL = (
    r"paraphrased?|hard negative|near miss|negative|positive|anchor|query|question|rewrite|answer"
    r"|output|input|response|original|variant|version|option|alternative|user|assistant|system"
)

# A pattern that the query matches, too, says nothing.
_LEFTOVERS = {
    "label": (
        rf"^\W{{0,3}}(?:{_LABEL})(?: (?:query|question|version))?\s*[#(]?\d{{0,2}}\)?\W{{0,2}}:",
        r"^\W{0,3}(?:short|chatty|formal) (?:one|version|paraphrase)\W{0,2}:",
        rf"^\W{{0,3}}(?:{_TRAP})(?: (?:trap|change|swap|negative))?\W{{0,2}}:",
        rf"^\W*[\[(](?:{_TRAP})[\])]",
        rf"[\[(](?:{_TRAP}|paraphrase|near miss|negative)(?: (?:trap|swap|changed?))?[\])]\W*$",
    ),
    "word of the task": (
        r"\bhard[- ]negatives?\b",
        r"\bnear[- ]miss(?:es)?\b",
        r"\bparaphras\w*",
        r"\b(?:original|given|user'?s|input) query\b",
        r"\bsame (?:meaning|answer) as the\b",
    ),
    "placeholder": (
        r"[\[<{](?:insert|your|query|paraphrase|negative|placeholder|topic|domain|original|another"
        r"|other|different|specific)\b[^\]>}]*[\]>}]",
        r"\blorem ipsum\b",
        r"^\W*(?:n/?a|none|null|nil|undefined|string|todo|tbd|not applicable|not possible)?\W*$",
        r"^\W*(?:does not|doesn't) (?:fit|apply).{0,20}$",
        r"^\W*no (?:such )?(?:change|number|negation)\b.{0,30}$",
    ),
    "words of an assistant": (
        r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b",
        r"^i(?:'| a)?m sorry,? (?:but|i)\b",
        r"^i(?: can(?:no|')t| am unable to|'m unable to) (?:help|assist|provide|answer|fulfil"
        r"|generate|create|write|offer)",
        r"^(?:sure|certainly|of course)[,!.]? (?:here|i)\b",
        r"\bhere(?: are|'s| is) (?:the|a|some|three|your) (?:\w+ )?(?:version|rewrite|question)",
        r"^note(?: that)?:",
    ),
    "markup": (
        r"^\s*(?:[-*•]|\d{1,2}[.)])\s+",
        r"\*\*[^*\s][^*]*\*\*",
        r"```",
        r"^\s*#{1,6} ",
        r"<\|\w+\|>|\[/?INST\]|</s>|</?think(?:ing)?>",
        r"&(?:amp|quot|lt|gt|nbsp|apos|#\d+);",
        r"\\u[0-9a-f]{4}",
        r"^[{\[]\s*\"|\"\s*[}\]],?$",
        r"[\"']?(?:paraphrases|negatives)[\"']?\s*:",
    ),
    "lost characters": ("\N{REPLACEMENT CHARACTER}",),
}
_PATTERNS = {
    reason: re.compile("|".join(patterns), re.IGNORECASE) for reason, patterns in _LEFTOVERS.items()
}
# The prompt's illustrations stand between such marks.
_FRAGMENTS = re.compile(r"[\n()\[\]\"“”;:]|->|→|\. ")
_SHORTEST_FRAGMENT = 3


class PromptLeakFilter(CandidateFilter):
    """Removes texts that repeat the prompt or hold leftovers of how the answer was asked for.

    Args:
        prompt_texts: the texts of the prompt, examples included.
        length: as many words in a row, shared with the prompt and not with the query, are a copy.
            A text that equals a whole fragment of the prompt is one at any length from 3 words.
    """

    name = "prompt_leak"

    def __init__(self, prompt_texts: Sequence[str], length: int) -> None:
        self._length = length
        self._runs = {run for text in prompt_texts for run in self._word_runs(text)}
        self._fragments = {
            fragment
            for text in prompt_texts
            for part in (text, *_FRAGMENTS.split(text))
            if len(fragment := tuple(words(part))) >= _SHORTEST_FRAGMENT
        }

    def reasons(self, candidate: Candidate) -> Reasons:
        """Why each text is removed, None for one that stays."""
        own = set(self._word_runs(candidate.query))
        plain = tuple(words(candidate.query))
        found = [
            _leftover(candidate.query, text) or self._copy(own, plain, text)
            for text in candidate.texts
        ]
        count = len(candidate.paraphrases)
        return found[:count], found[count:]

    def _word_runs(self, text: str) -> Iterator[tuple[str, ...]]:
        all_words = words(text)
        for start in range(len(all_words) - self._length + 1):
            yield tuple(all_words[start : start + self._length])

    def _copy(self, own: set[tuple[str, ...]], query: tuple[str, ...], text: str) -> str | None:
        plain = tuple(words(text))
        if plain in self._fragments and plain != query:
            return "stands in the prompt"
        for run in self._word_runs(text):
            if run in self._runs and run not in own:
                return f"{self._length} words of the prompt: {' '.join(run)!r}"
        return None


def _leftover(query: str, text: str) -> str | None:
    for reason, pattern in _PATTERNS.items():
        match = pattern.search(text)
        if match and not pattern.search(query):
            return f"{reason}: {match[0].strip()[:60]!r}"
    return None
