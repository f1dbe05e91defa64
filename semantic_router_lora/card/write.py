"""Writing the card of an adapter folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semantic_router_lora.adapters import layout
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.card.facts import check_regular, read_facts
from semantic_router_lora.card.fields import mapping, text
from semantic_router_lora.card.figures import checked_results, only
from semantic_router_lora.card.metadata import front_matter, metadata_of, read_card
from semantic_router_lora.card.render import CardContent, body, notes_in
from semantic_router_lora.card.running import observe
from semantic_router_lora.card.snippets import is_reference
from semantic_router_lora.card.stated import OWN_KEY, Stated, check_stated, stated_in
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.errors import DataError, InputError

# What peft writes where a person should fill something in.
_BLANK_TEMPLATE = "[More Information Needed]"


def write_card(
    folder: Path,
    stated: Stated | None = None,
    *,
    results: Path | None = None,
    dev: Sequence[str] = (),
    base: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the README.md of an adapter folder, whole or not at all.

    Runs the adapter on dev triplets, to show where it fails.

    Args:
        folder: with the adapter.
        stated: what only a person knows; what it leaves open is kept from the card before.
        results: a results.json of ``semantic-router-lora benchmark`` with this adapter in it: its
            figures and those of the base are written to evaluation_results.json first.
        dev: files of triplets, or ``bundled:dev``, to look for failures in. Default: the bundled
            dev triplets of the domains that it was trained on.
        base: where the base model lies, if not where the configuration says.
        overwrite: replace a card that was not written by this function. Of that one, the metadata
            is kept, the text is lost.

    Returns:
        The path of the card.

    Raises:
        InputError: if no licence is stated, something stated is wrong, a card of others is in the
            way, or a file cannot be written.
        AdapterError, BaseModelError, ModelReferenceError: if the adapter or its base cannot be
            used.
        DataError: if results or dev triplets cannot be used, or the results were measured with
            other weights.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder")
    card = folder / layout.CARD
    check_regular(folder.name, card)
    metadata, earlier = _earlier(card, overwrite)
    said = (stated or Stated()).over(earlier)
    check_stated(said)
    if results is not None:
        _write(folder / layout.EVALUATION, _results_of(folder, results, base))
    facts = read_facts(folder)
    seen = observe(folder, facts, base=base, dev=dev)
    reference = _reference(folder, said, metadata)
    content = CardContent(facts, said, reference, seen.settings, seen.dev, seen.examples)
    _write(card, front_matter(metadata_of(content, metadata)) + body(content))
    return card


def _earlier(card: Path, overwrite: bool) -> tuple[dict[str, Any], Stated]:
    """The metadata of the card before, and what it states; both empty if there is none."""
    if not card.is_file():
        return {}, Stated()
    try:
        before = card.read_text(encoding="utf-8")
        metadata, text_before = read_card(before)
    except (OSError, UnicodeDecodeError, DataError) as error:
        if overwrite:
            return {}, Stated()
        raise InputError(f"{card}: {error}; --overwrite replaces it") from error
    if OWN_KEY in metadata:
        return metadata, stated_in(metadata, notes_in(text_before))
    if not overwrite and text_before.strip() and _BLANK_TEMPLATE not in text_before:
        raise InputError(
            f"{card} was not written by this command, and its text would be lost; "
            f"--overwrite replaces it"
        )
    return metadata, stated_in(metadata, None)


def _reference(folder: Path, stated: Stated, metadata: dict[str, Any]) -> str:
    """How code names the adapter: on the Hub, bundled, as before, or by its folder."""
    if stated.repo_id is not None:
        return stated.repo_id
    place = folder.resolve()
    if place.name in bundled_adapters() and resolve_adapter(place.name).folder.resolve() == place:
        return place.name
    before = text(mapping(metadata, OWN_KEY), "reference")
    if before is not None and is_reference(before) and not before.startswith("./"):
        return before
    if not is_reference(f"./{place.name}"):
        raise InputError(f"{folder}: name the folder of letters, digits and -, _, . or +")
    return f"./{place.name}"


def _results_of(folder: Path, path: Path, base: str | None) -> str:
    """Those results of a file that were measured with the adapter of a folder, as JSON."""
    check_regular(folder.name, folder / layout.EVALUATION)
    results = checked_results(path)
    fingerprint = Embedder(base or results.base, str(folder)).fingerprint
    for label, info in results.embedders.items():
        if info.fingerprint == fingerprint:
            return only(results, label).results.to_json()
    raise DataError(
        f"{path}: none of {list(results.embedders)} has the fingerprint of {folder}, {fingerprint}"
    )


def _write(path: Path, content: str) -> None:
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_text(content, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
