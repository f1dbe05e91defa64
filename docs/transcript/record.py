"""Record the terminal transcript of README and docs/index.md.

The statements of near_miss.txt are run for real, one by one, and what they print is taken
down. The benchmark's table is drawn by the command's own code from the committed results of a full
run. ``--check`` changes nothing and fails if a transcript would change.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from semantic_router_lora.tables import Table

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "docs" / "index.md")
RESULTS = ROOT / "docs" / "results" / "bundled-L6.json"
SESSION = Path(__file__).with_name("near_miss.txt")
LEFT_OUT = ("Test triplets", "Winner")
BLOCK = re.compile(r"(?P<head><!-- transcript -->\n).*?(?P<tail><!-- end -->)", re.S)


def benchmark() -> str:
    """The first table that ``semantic-router-lora benchmark`` printed, without some columns."""
    from semantic_router_lora.benchmark.report import margin_table, tables
    from semantic_router_lora.benchmark.results import read_results
    from semantic_router_lora.cli.output import print_table

    results = read_results(RESULTS)
    table = margin_table(results)
    kept = [number for number, name in enumerate(table.columns) if name not in LEFT_OUT]
    rows = [tuple(row[number] for number in kept) for row in table.rows]
    columns = tuple(table.columns[number] for number in kept)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        print_table(Table(table.title, columns, rows))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    shortened = f"[two columns and {len(tables(results)) - 1} more tables left out here]"
    return "\n".join(["$ semantic-router-lora benchmark", *lines, shortened])


def session(source: str) -> str:
    """A session at the Python prompt: every statement and what it prints."""
    shown = ["$ python"]
    names: dict[str, object] = {}
    lines = source.splitlines()
    before = 0
    for statement in ast.parse(source).body:
        start, end = statement.lineno - 1, statement.end_lineno or statement.lineno
        shown += [f">>> {line}" for line in lines[before:start] if line.startswith("#")]
        first, *rest = lines[start:end]
        shown += [f">>> {first}", *(f"... {line}".rstrip() for line in rest)]
        shown += ["..."] if hasattr(statement, "body") else []  # ends a block at the prompt
        before = end
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(ast.Interactive([statement]), SESSION.name, "single"), names)
        shown += printed.getvalue().splitlines()
    return "\n".join(shown)


@contextlib.contextmanager
def base_in_hub_cache() -> Iterator[None]:
    """A Hub cache that holds the base model, so that the stock encoder loads it without network."""
    from huggingface_hub import constants

    from semantic_router_lora.base_models import DEFAULT_BASE, resolve_base

    folder = resolve_base(DEFAULT_BASE).folder
    before = constants.HF_HUB_CACHE
    with tempfile.TemporaryDirectory() as cache:
        model = Path(cache) / f"models--{DEFAULT_BASE.replace('/', '--')}"
        (model / "refs").mkdir(parents=True)
        (model / "refs" / "main").write_text("0" * 40)
        (model / "snapshots").mkdir()
        (model / "snapshots" / ("0" * 40)).symlink_to(folder, target_is_directory=True)
        constants.HF_HUB_CACHE = cache
        try:
            yield
        finally:
            constants.HF_HUB_CACHE = before


def transcript() -> str:
    """All of it, as a code block."""
    with base_in_hub_cache():
        talk = session(SESSION.read_text(encoding="utf-8"))
    return f"```text\n{benchmark()}\n\n{talk}\n```\n"


def main() -> None:
    """Write into the pages, or check with ``--check``."""
    recorded = transcript()
    stale = []
    for path in PAGES:
        before = path.read_text(encoding="utf-8")
        after = BLOCK.sub(lambda match: f"{match['head']}{recorded}{match['tail']}", before)
        if before != after:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(after, encoding="utf-8")
    print("out of date:" if stale else "up to date", *stale)
    if stale and "--check" in sys.argv:
        sys.exit(1)


if __name__ == "__main__":
    main()
