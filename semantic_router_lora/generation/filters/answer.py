"""Answers and advice where a question was asked."""

from __future__ import annotations

import re

from semantic_router_lora.generation.filters.candidate import TextFilter

_START = r"(?:^|[.!;:]\s+)(?:however|but|also|generally|usually|in general|in most cases)?,?\s*"
_MODAL = (
    r"(?:should|can|could|may|might|must|need to|have to|want to|ought to|cannot|can't|should not"
    r"|shouldn't|do not|don't)"
)
_JUDGED = (
    r"(?:recommended|advisable|advised|important|essential|crucial|best|necessary|possible"
    r"|not possible|legal|illegal|safe|not safe|normal|common)"
)
_PROFESSIONAL = (
    r"(?:doctor|gp|physician|lawyer|solicitor|attorney|pharmacist|therapist|professional"
    r"|psychologist|counsellor|counselor)"
)

# What hardly any question says; a text with a question mark is spared all the same.
_ANSWERS = {
    "opens like an answer": (
        r"^(?:yes|no|nope|yeah|yep|sure|certainly|absolutely|of course)\s*[,.!;:–—-]",
        r"^it depends\b",
        r"^(?:here (?:is|are)|here's|the answer is)\b",
        r"^in (?:short|summary),",
        r"^there are (?:several|many|two|three|four|a few|various|different) ",
        r"^(?:typically|generally|usually|normally), (?!(?:i|my|we|our|how|what|when|do|is|can)\b)",
    ),
    "tells the reader what to do": (
        _START + r"you(?:'ll| will)? " + _MODAL + r"\b",
        r"^to [a-z]+ .{3,80}?, (?:you|use|run|type|call|first|simply|just|try|add|set|open|go"
        r"|press|click|take|apply)\b",
        # without the full stop these may be keywords
        r"^(?:use|run|simply|consider|try|first,) .*[.!]$",
        r"(?:^|[.!;:,]\s+)(?:please )?(?:make sure|be sure|remember) to\b",
    ),
    "gives advice": (
        r"^it(?:'s| is)(?: also| generally| usually| always| often)? " + _JUDGED + r"\b",
        r"(?:^|[.!;:,]\s+)(?:i|we)(?:'d| would)? (?:recommend|suggest|advise)\b",
        r"(?:^|[.!;:,]\s+)(?:please )?(?:consult|speak to|speak with|talk to|see|contact|seek help"
        r" from) (?:a|an|your|with a|with your) (?:\w+ )?" + _PROFESSIONAL + r"\b",
    ),
    "lists an answer": (
        r"\b(?:may |can |often |usually |typically |commonly )includes?\b",
        r"\b\w+s include\b",
        r"\b(?:symptoms?|signs?|causes?|treatments?|options?|effects?|factors?|steps?) [\w' -]*"
        r"\bare\b.*,.*\b(?:and|or)\b",
    ),
}
# What requests may say, too, so no clause of the text may open like one.
_STATEMENT = re.compile(
    r"^(?:the |a |an |your )?[\w'-]+(?: [\w'-]+){0,5}? (?:is|are|was|were|has|have|can|may|should"
    r"|must|will|requires?|depends|takes|lasts|allows?|means|refers|begins?|helps?|shows?|works?|grows?"
    r"|moves?|raises?|causes?)\b.*[\w)][.!]$",
    re.IGNORECASE | re.DOTALL,
)
_OPENS_AS_QUESTION = re.compile(
    r"^(?:and |so |but |ok |okay )?(?:do|does|did|is|are|was|were|am|can|could|shall|should|will"
    r"|would|may|might|must|has|have|what|how|why|when|where|who|whose|which|whether)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:^|[.!,;:–-]\s*|\b(?:and|or|but|so|then) )(?:how|what|which|who|whom|whose|why|when|where"
    r"|whether|if|tell|explain|help|advise|show|list|give|name|describe|please|check|confirm|compare"
    r"|say|state|find|write|assess|report|determine|combine|exploit|talk|clarify|summarise|outline"
    r"|i|i'm|i've|i'd|my|we|our)\b"
    r"|\b(?:can|could|may|should|must|do|does|did|is|are|am|was|will|would|has|have)"
    r" (?:i|we|my|he|she|it|they|you)\b",
    re.IGNORECASE,
)
_PATTERNS = {
    reason: re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)
    for reason, patterns in _ANSWERS.items()
}


class AnswerFilter(TextFilter):
    """Removes what reads like an answer or advice, in English, unless the query reads so itself."""

    name = "answer"

    def reason(self, query: str, text: str) -> str | None:
        """Why a text is removed, None if it stays."""
        found = _answers(text)
        return found if found is not None and _answers(query) is None else None


def _answers(text: str) -> str | None:
    stripped = text.strip().replace("’", "'")
    if "?" in stripped or "？" in stripped or _OPENS_AS_QUESTION.search(stripped):
        return None
    for reason, pattern in _PATTERNS.items():
        match = pattern.search(stripped)
        if match:
            return f"{reason}: {match[0].strip()[:60]!r}"
    if _STATEMENT.search(stripped) and not _ASKS.search(stripped):
        return "states something and asks for nothing"
    return None
