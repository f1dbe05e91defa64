"""README and docs: code runs, commands exist, links lead somewhere, figures are the results'."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import semantic_router
import typer

from semantic_router_lora import errors
from semantic_router_lora.adapters.resolve import DEFAULT_ADAPTER
from semantic_router_lora.cli import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BUNDLED = ROOT / "semantic_router_lora" / "adapters" / "bundled"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob(".github/**/*.md")),
    *sorted(ROOT.glob("training/**/*.md")),
    *sorted(DOCS.glob("**/*.md")),
    *sorted(BUNDLED.glob("*/README.md")),
    ROOT / "semantic_router_lora" / "benchmark" / "suites" / "README.md",
]
# A fence, its language, its content, and the output that is promised after it.
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```$"
    r"(?:\n\n<!-- output -->\n```text\n(?P<output>.*?)^```$)?",
    re.S | re.M,
)
# Of the cards, which are made of one template, the code of one is run.
CARDS = sorted(BUNDLED.glob("*/README.md"))
DEFAULT_CARD = BUNDLED / DEFAULT_ADAPTER / "README.md"
ROUTERS = re.compile(
    r"^from semantic_router[.\w]* import .*?\b(RouteLayer|SemanticRouter|IndexedRouter)\b", re.M
)


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks(*languages):
    for page in PAGES:
        if page in CARDS and page != DEFAULT_CARD:
            continue
        found = FENCE.finditer(page.read_text(encoding="utf-8"))
        for number, block in enumerate(b for b in found if b["language"] in languages):
            yield f"{name_of(page)}:{number}", block


def command_lines():
    """Each line of a shell block that runs this package, without what only a shell understands."""
    for where, block in blocks("", "bash", "sh", "console"):
        for line in dedent(block["code"]).replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True) if "lora" in line else []
            if "semantic-router-lora" not in words or words[0] == "pip":
                continue
            words = words[words.index("semantic-router-lora") + 1 :]
            ends = [words.index(end) for end in ("&&", "|", ">", "...") if end in words]
            name = f"{where}: {' '.join(words)}"
            yield pytest.param(words[: min(ends, default=None)], "..." in words, id=name)


def script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def base_in_hub_cache():
    """What pages load by the base's name is there, as after a download."""
    with script(DOCS / "transcript" / "record.py").base_in_hub_cache():
        yield


@pytest.mark.usefixtures("base_in_hub_cache")
@pytest.mark.parametrize(
    "block", [pytest.param(block, id=where) for where, block in blocks("python")]
)
def test_code_of_the_pages_runs(block, tmp_path, monkeypatch):
    code = dedent(block["code"])
    router = ROUTERS.search(code)
    if router and not hasattr(semantic_router, router[1]):
        pytest.skip(f"{router[1]} is not in the installed line")
    if "sentence_transformers" in code:  # of the extra train, which not every environment has
        pytest.importorskip("sentence_transformers")
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "page", "exec"), {"__name__": "page"})
    if block["output"] is not None:
        assert printed.getvalue() == block["output"]


def test_code_of_the_cards_differs_in_the_name_alone():
    def code(card):
        text = card.read_text(encoding="utf-8").replace(card.parent.name, "NAME")
        return [block["code"] for block in FENCE.finditer(text) if block["language"] == "python"]

    assert len(code(DEFAULT_CARD)) > 4
    for card in CARDS:
        assert code(card) == code(DEFAULT_CARD), name_of(card)


@pytest.mark.parametrize(("words", "elided"), list(command_lines()))
def test_command_lines_of_the_pages_are_understood(words, elided):
    def parse(command, name, words, parent=None):
        with command.make_context(name, list(words), parent=parent) as context:
            rest = [*getattr(context, "_protected_args", []), *context.args]
            if hasattr(command, "commands") and rest:
                name, below, rest = command.resolve_command(context, rest)
                parse(below, name, rest, context)

    try:
        parse(typer.main.get_command(app), "semantic-router-lora", words)
    except Exception as error:
        if elided and type(error).__name__ == "MissingParameter":
            return
        said = error.format_message() if hasattr(error, "format_message") else repr(error)
        pytest.fail(f"{' '.join(words)}: {said}")


@pytest.mark.parametrize("made_by", ["render_results.py", "generate_cli.py"])
def test_generated_parts_are_up_to_date(made_by):
    done = subprocess.run(
        [sys.executable, DOCS / made_by, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_command_line_page_does_not_depend_on_the_terminal(monkeypatch):
    generate_cli = script(DOCS / "generate_cli.py")
    pages = set()
    for columns in ("40", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setenv("TERMINAL_WIDTH", columns)
        pages.add(generate_cli.page())
    assert len(pages) == 1


@pytest.mark.skipif(
    not hasattr(semantic_router, "IndexedRouter"), reason="was recorded with semantic-router 1.x"
)
def test_transcript_is_what_happens():
    record = script(DOCS / "transcript" / "record.py")
    recorded = record.transcript()
    for page in record.PAGES:
        block = record.BLOCK.search(page.read_text(encoding="utf-8"))
        assert block, f"{page.name} has no transcript"
        assert recorded in block[0], page.name


def test_tree_of_errors_is_the_one_of_the_module():
    tree = errors.__doc__.split("\n\n", 1)[1].strip()
    assert tree in (DOCS / "api" / "errors.md").read_text(encoding="utf-8")


def slugs(page):
    """The anchors of a page, as GitHub makes them of its headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ +(.+?) *$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", text):
            if "://" in target or target.startswith("mailto:"):
                continue
            found = page.parent / target if target else page
            assert found.exists(), f"{name_of(page)}: {target}"
            if anchor and found.suffix == ".md":
                assert anchor in slugs(found), f"{name_of(page)}: {target}#{anchor}"


def test_links_out_of_the_site_become_text_or_links_into_the_repository():
    relinked = script(DOCS / "hooks.py").relinked
    published = {"docs/a.md": "a.md", "training/README.md": "project/training/README.md"}
    text = "[a](../docs/a.md#x) [b](data/rows.jsonl) `[c](d.md)` [e](https://e.org) [f](#f)"
    source, uri = "training/README.md", "project/training/README.md"
    assert relinked(text, source, uri, published, None) == (
        "[a](../../a.md#x) b (`training/data/rows.jsonl`) `[c](d.md)` [e](https://e.org) [f](#f)"
    )
    linked = relinked(text, source, uri, published, "https://example.org/repo/")
    assert "[b](https://example.org/repo/blob/HEAD/training/data/rows.jsonl)" in linked


def test_lists_of_github_are_lists_in_the_site():
    indented = script(DOCS / "hooks.py").indented
    text = "1. one\n\n   ```\n   code\n   ```\n\n- a\n  b\n\nend\n\n    x\n"
    assert indented(text) == (
        "1. one\n\n    ```\n    code\n    ```\n\n- a\n    b\n\nend\n\n    x\n"
    )


@pytest.mark.slow
def test_site_builds_without_warnings(tmp_path):
    pytest.importorskip("material", reason="needs the extra docs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = [page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html")]
    assert len(pages) > 30
    fetched = r"<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=[\"']?https?://[^\"'> ]+"
    assert not [found for page in pages for found in re.findall(fetched, page)]
