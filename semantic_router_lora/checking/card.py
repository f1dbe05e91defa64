"""The card: its metadata, its licence, and whether it says what was measured."""

from __future__ import annotations

from semantic_router_lora.adapters import layout
from semantic_router_lora.checking.outcome import Outcome, failed, passed, verdict
from semantic_router_lora.checking.subject import Subject
from semantic_router_lora.errors import DataError, SemanticRouterLoraError

_NO_LICENSE = "unknown"  # an identifier of the Hub, too


def check_metadata(subject: Subject) -> Outcome:
    """The card is text, and begins with metadata that the Hub understands."""
    from semantic_router_lora.card.metadata import read_card

    try:
        text = subject.path(layout.CARD).read_bytes().decode("utf-8")
        subject.metadata, _ = read_card(text)
    except (UnicodeDecodeError, DataError) as error:
        return failed([f"{layout.CARD}: {error}"])
    if not subject.metadata:
        return failed([f"{layout.CARD} has no metadata between two lines of ---"])
    return passed(f"of the card: {', '.join(sorted(map(str, subject.metadata)))}")


def check_license(subject: Subject) -> Outcome:
    """A licence is stated, by an identifier that the Hub knows."""
    from semantic_router_lora.card.licenses import OTHER, is_license

    stated = subject.metadata.get("license")
    if not isinstance(stated, str) or stated == _NO_LICENSE:
        return failed([f"the metadata of {layout.CARD} state no license"])
    if not is_license(stated):
        return failed([f"license {stated[:80]!r} is no identifier of the Hub, such as apache-2.0"])
    if stated == OTHER and not all(
        isinstance(subject.metadata.get(key), str) for key in ("license_name", "license_link")
    ):
        return failed(["license: other needs license_name and license_link"])
    return passed(stated)


def check_card(subject: Subject) -> Outcome:
    """The card is complete, and its figures are those of the evaluation."""
    from semantic_router_lora.card import card_problems

    try:
        problems = card_problems(subject.folder)
    except SemanticRouterLoraError as error:
        problems = [str(error)]
    return verdict(problems, f"complete; its figures are those of {layout.EVALUATION}")
