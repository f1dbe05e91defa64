"""From the name of an adapter to the folder with its files."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from pathlib import Path

from semantic_router_lora.adapters import catalogue, layout
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.errors import AdapterFormatError, ModelReferenceError
from semantic_router_lora.hub import cached_snapshot, download_snapshot
from semantic_router_lora.reference import (
    HubId,
    checked_folder_name,
    checked_reference,
    existing_folder,
    parse_hub_id,
)

logger = logging.getLogger(__name__)

DEFAULT_ADAPTER = "multi-domain-cache-lora-L6"

# By its path, for importlib.resources brings tempfile, shutil and zlib into every start.
_BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class AdapterLocation:
    """An adapter's name, as it stands in a reference, and the folder with its files."""

    name: str
    folder: Path


def bundled_adapters() -> list[str]:
    """The names of the adapters that the package ships, sorted."""
    return sorted(path.parent.name for path in _BUNDLED.glob(f"*/{layout.CONFIG}"))


def resolve_adapter(reference: str, *, refresh: bool = False) -> AdapterLocation:
    """Find an adapter: bundled name, folder, name in the catalogue, Hub id, in this order.

    What lies on the Hub is taken from the Hugging Face cache where it is complete. Weights that
    the catalogue knows must have the SHA-256 that stands there, in the cache too.

    Args:
        reference: a name, a folder or a Hub id.
        refresh: ask the Hub even for what the cache holds.

    Raises:
        ModelReferenceError: if it is none of these, or the Hub does not serve it.
        AdapterFormatError: if the place exists but holds no adapter, or other weights than the
            catalogue says.
    """
    reference = checked_reference(reference, "adapter")
    if reference in bundled_adapters():
        return AdapterLocation(reference, _BUNDLED / reference)
    folder = existing_folder(reference)
    if folder is not None:
        name = checked_folder_name(folder, "adapter")
        return AdapterLocation(name, _complete(name, folder))
    entry = catalogue.find(reference)
    hub_id = entry.hub_id if entry else parse_hub_id(reference)
    if hub_id is None:
        names = (entry.name for entry in catalogue.entries() if entry.hub)
        raise ModelReferenceError(
            f"adapter {reference!r} is neither bundled ({', '.join(bundled_adapters())}), "
            f"nor an existing folder, nor in the catalogue ({', '.join(names)}), "
            f"nor a Hub id (owner/name)"
        )
    location = _from_hub(reference, hub_id, refresh)
    _check_digest(entry or catalogue.find_pinned(hub_id), location)
    return location


def _from_hub(reference: str, hub_id: HubId, refresh: bool) -> AdapterLocation:
    cached = cached_snapshot(hub_id, layout.FILES)
    if cached is not None and not refresh and _has(cached, layout.FILES):
        return AdapterLocation(str(hub_id), cached)
    try:
        # also where some files are cached: peft fetches no more than two of them
        downloaded = download_snapshot(hub_id, layout.FILES)
    except ConnectionError as error:
        if cached is not None and _has(cached, layout.REQUIRED):
            logger.warning("adapter %s: used as far as it is cached, because %s", hub_id, error)
            return AdapterLocation(str(hub_id), cached)
        raise ModelReferenceError(
            f"adapter {reference!r} is not bundled, no folder, not in the Hugging Face cache"
            f"{'' if reference == str(hub_id) else f' ({hub_id})'}, and {error}"
        ) from error
    return AdapterLocation(str(hub_id), _complete(str(hub_id), downloaded))


def _check_digest(entry: catalogue.Entry | None, location: AdapterLocation) -> None:
    """Refuse weights that are not those of the catalogue."""
    if entry is None:
        return
    if entry.sha256 is None:
        _warn_unverified(entry.name)
        return
    found = file_sha256(location.folder / layout.WEIGHTS)
    if found != entry.sha256:
        raise AdapterFormatError(
            f"adapter {location.name}: {layout.WEIGHTS} has SHA-256 {found}, but the catalogue "
            f"says {entry.sha256}: not used; if {location.folder} may be damaged, delete it and "
            f"fetch it again"
        )


@functools.cache
def _warn_unverified(name: str) -> None:
    logger.warning(
        "adapter %s: the catalogue has no SHA-256 of it, so what came was not verified", name
    )


def _has(folder: Path, names: tuple[str, ...]) -> bool:
    return all((folder / name).is_file() for name in names)


def _complete(name: str, folder: Path) -> Path:
    missing = [required for required in layout.REQUIRED if not (folder / required).is_file()]
    if not missing:
        return folder
    pickles = sorted(
        path.name for path in folder.glob("adapter_model.*") if path.suffix != ".safetensors"
    )
    if pickles and missing == [layout.WEIGHTS]:
        raise AdapterFormatError(
            f"adapter {name}: weights come as {', '.join(pickles)}, which can run code when read; "
            f"only {layout.WEIGHTS} is accepted"
        )
    raise AdapterFormatError(f"adapter {name}: {folder} has no {' and no '.join(missing)}")
