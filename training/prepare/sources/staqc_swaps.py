"""Near misses of a database request by changing one thing in it."""

from __future__ import annotations

import re

# Of the verb that the request opens with.
_VERBS = (
    ("insert", "delete"),
    ("create", "drop"),
    ("enable", "disable"),
    ("encrypt", "decrypt"),
    ("import", "export"),
    ("update", "delete"),
    ("hide", "show"),
    ("encode", "decode"),
    ("split", "concatenate"),
    ("compress", "decompress"),
    ("lock", "unlock"),
    ("increase", "decrease"),
    ("increment", "decrement"),
    ("backup", "restore"),
    ("sum", "count"),
    ("rename", "drop"),
)
# Each changes the task; where answers could agree, the pair is left out.
_OPPOSITES = (
    ("ascending", "descending"),
    ("asc", "desc"),
    ("first", "last"),
    ("maximum", "minimum"),
    ("max", "min"),
    ("highest", "lowest"),
    ("largest", "smallest"),
    ("latest", "earliest"),
    ("newest", "oldest"),
    ("uppercase", "lowercase"),
    ("more than", "less than"),
    ("greater than", "less than"),
    ("before", "after"),
    ("earlier", "later"),
    ("start date", "end date"),
    ("leading", "trailing"),
    ("next", "previous"),
)
_OTHERS = (
    ("primary key", "foreign key"),
    ("average", "median"),
    ("stored procedure", "view"),
    ("trigger", "view"),
    ("month", "week"),
    ("year", "quarter"),
    ("daily", "monthly"),
    ("hour", "minute"),
    ("json", "xml"),
    ("csv", "json"),
    ("varchar", "datetime"),
    ("unique constraint", "check constraint"),
    ("index", "trigger"),
    ("left join", "full join"),
    ("union", "intersect"),
)
# What the answer depends on the product for.
_DIALECT = re.compile(
    r"date|time|string|split|regex|concat|limit|top \d|paginat|auto.?increment|identity|dump|"
    r"backup|restore|import|export|procedure|trigger|function|pivot|json|xml|cursor|merge|upsert|"
    r"duplicate key|full.?text|variable|temp|loop|dynamic|schema|user|permission|grant|log|"
    r"encod|collation|charset|sequence|index|recursive|hierarch|row.?num|rank|substring|replace",
    re.IGNORECASE,
)
_PRODUCTS = ("MySQL", "PostgreSQL", "Oracle", "SQL Server", "SQLite")
_SPELLED = {"postgres": "PostgreSQL", "mssql": "SQL Server", "sqlserver": "SQL Server"}
_PRODUCT = re.compile(
    r"(?<!ms )(?<!microsoft )\b(mysql|postgresql|postgres|oracle|sql ?server|mssql|sqlite)\b", re.I
)
_DIRECTION = re.compile(
    r"\b(?P<verb>convert|converting|transform|transforming|turn|turning|cast|casting|change|"
    r"changing|map|mapping|migrate|migrating|transpose|import|importing|export|exporting)\s+"
    r"(?P<a>(?:(?!\b(?:to|into|from|in|using|with|where|and)\b).){3,30}?)\s+(?P<to>to|into)\s+"
    r"(?P<b>(?:(?!\b(?:to|into|from|in|using|with|where|and|for|when|by|if|on)\b).){3,30}?)"
    r"(?=$|\s+(?:in|using|with|where|for|when|by|if|on)\b)",
    re.IGNORECASE,
)
_FROM_TO = re.compile(
    r"\bfrom\s+(?P<a>\w+(?: server)?)\s+to\s+(?P<b>\w+(?: server)?)"
    r"(?=$|\s+(?:in|using|with|for)\b)",
    re.IGNORECASE,
)
_NO_SWAP = re.compile(
    r"\b(other|another|new|one|same|it|different|single|multiple|two|if|value|values|default|"
    r"null|today|now|lower|upper|case|something|each|separate|desired|specific|have|be)\b",
    re.IGNORECASE,
)


def swaps(phrase: str) -> list[tuple[str, str]]:
    """(trap, changed phrase); direction first."""
    found: list[tuple[str, str]] = []
    for pattern in (_DIRECTION, _FROM_TO):
        if (match := pattern.search(phrase)) and not _NO_SWAP.search(match["a"] + " " + match["b"]):
            (a0, a1), (b0, b1) = match.span("a"), match.span("b")
            swapped = phrase[:a0] + match["b"] + phrase[a1:b0] + match["a"] + phrase[b1:]
            found.append(("role", swapped))
    verb, _, tail = phrase.partition(" ")
    for first, other in _VERBS:
        if verb in (first, other) and not re.search(r"\b(?:in)?to\b", tail):
            found.append(("aspect", f"{other if verb == first else first} {tail}"))
    for pairs, trap in ((_OPPOSITES, "negation"), (_OTHERS, "entity")):
        for first, other in pairs:
            for old, new in ((first, other), (other, first)):
                if changed := _replace_only(phrase, old, new):
                    found.append((trap, changed))
    product = _PRODUCT.search(phrase)
    alone = product and not re.match(
        r" ?(?:[\d.]+|express|developer)", phrase[product.end() :], re.I
    )
    if product and alone and len(_PRODUCT.findall(phrase)) == 1 and _DIALECT.search(phrase):
        name = _SPELLED.get(product[0].lower(), product[0])
        options = [other for other in _PRODUCTS if other.lower() != name.lower()]
        new = options[len(phrase) % len(options)]
        found.append(("entity", phrase[: product.start()] + new + phrase[product.end() :]))
    return found


def _replace_only(phrase: str, old: str, new: str) -> str | None:
    """The phrase with one word for another, if the old one stands in it once, the new one never."""
    pattern = re.compile(rf"(?<![\w-]){re.escape(old)}(?![\w-])", re.IGNORECASE)
    if len(pattern.findall(phrase)) != 1 or re.search(rf"\b{re.escape(new)}\b", phrase, re.I):
        return None
    return pattern.sub(new, phrase)
