"""Write the table of the catalogue into docs/catalogue.md.

``--check`` changes nothing. It fails if a row is not that of the entry any more, or if a verified
entry has no row; one that waits for verification need not have one, so that proposing an adapter
takes one file.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from semantic_router_lora.adapters.catalogue import entries
from semantic_router_lora.adapters.catalogue_views import NOTE, table

PAGE = Path(__file__).with_name("catalogue.md")
BLOCK = re.compile(r"(?<=<!-- catalogue -->\n).*?(?=<!-- end -->)", re.S)


def rendered() -> str:
    """The block between the marks."""
    return f"{table(entries(), with_local=False).to_markdown()}\n{NOTE}\n"


def problems(block: str) -> list[str]:
    """What is wrong with the block as it stands."""
    there = set(block.splitlines())
    verified = table((e for e in entries() if e.verified), with_local=False).to_markdown()
    stale = there - set(rendered().splitlines())
    missing = set(verified.splitlines()) - there
    return [f"stale: {line}" for line in stale] + [f"missing: {line}" for line in missing]


def main() -> None:
    """Render, or check with ``--check``."""
    text = PAGE.read_text(encoding="utf-8")
    found = BLOCK.search(text)
    if found is None:
        sys.exit(f"{PAGE} has no block for the catalogue")
    if "--check" not in sys.argv:
        PAGE.write_text(text[: found.start()] + rendered() + text[found.end() :], encoding="utf-8")
    elif wrong := problems(found.group()):
        sys.exit("\n".join([f"{PAGE.name} is out of date:", *wrong]))


if __name__ == "__main__":
    main()
