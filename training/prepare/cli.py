"""``python training/prepare``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prepare import outputs
from prepare.catalogue import GITHUB_SOURCES, HUB_SOURCES
from prepare.rows import suite_texts
from prepare.run import originals_of, prepare
from semantic_router_lora.errors import SemanticRouterLoraError

SOURCES = GITHUB_SOURCES | HUB_SOURCES
TRAINING = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 0 if all went well, 1 for an error or a difference found by --check."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except SemanticRouterLoraError as error:
        _say(f"Error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    forbidden = suite_texts()
    entries: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if options.check else options.output
        for name in options.sources or GITHUB_SOURCES:
            originals = originals_of(SOURCES[name], options.raw, options.originals, _say)
            entries[name] = prepare(SOURCES[name], originals, folder, forbidden, _say)
    if not options.check:
        outputs.write(options.record, entries)
        return 0
    differences = outputs.differences(outputs.read(options.record), entries)
    for line in differences:
        _say(line)
    _say("DIFFERS" if differences else "as committed")
    return 1 if differences else 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _source(name: str) -> str:
    if name not in SOURCES:
        raise argparse.ArgumentTypeError(f"unknown; one of {', '.join(SOURCES)}")
    return name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python training/prepare",
        description="Make training triplets from public, openly licensed originals.",
    )
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        type=_source,
        help=f"{', '.join(GITHUB_SOURCES)} (all of these if none is named); only if named, from "
        f"the Hugging Face Hub: {', '.join(HUB_SOURCES)}",
    )
    parser.add_argument("--raw", type=Path, help="folder with archives or unpacked folders")
    parser.add_argument("--output", type=Path, default=TRAINING / "public", help="folder to fill")
    parser.add_argument(
        "--originals", type=Path, default=TRAINING / "originals", help="where downloads are kept"
    )
    parser.add_argument(
        "--record", type=Path, default=outputs.COMMITTED, help="file of figures and hashes"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; compare with the record instead"
    )
    return parser
