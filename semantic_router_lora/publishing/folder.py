"""The files of an adapter that go to the Hub, and nothing else that lies beside them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from semantic_router_lora.adapters import layout
from semantic_router_lora.checking.files import MAX_BYTES
from semantic_router_lora.errors import AdapterFormatError, InputError

PUBLISHED = (*layout.FILES, layout.TRAINING_PLOT)


@dataclass(frozen=True)
class Upload:
    """What a folder would put on the Hub.

    Attributes:
        folder: where the files were read.
        content: their bytes, by name: what is checked is what is uploaded.
        left_out: what else lies in the folder.
    """

    folder: Path
    content: dict[str, bytes]
    left_out: list[str]

    @contextlib.contextmanager
    def staged(self) -> Iterator[Path]:
        """A folder of the same name with these files alone, while the block runs."""
        with tempfile.TemporaryDirectory(prefix="publish-") as parent:
            folder = Path(parent) / self.folder.resolve().name
            folder.mkdir()
            for name, data in self.content.items():
                (folder / name).write_bytes(data)
            yield folder


def read_upload(folder: Path) -> Upload:
    """Read what there is to publish.

    Raises:
        InputError: if it is no folder.
        AdapterFormatError: if a file is missing or too large, or a link, which could lead anywhere.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder")
    names = sorted(path.name for path in folder.iterdir())
    content = {name: _read(folder / name) for name in PUBLISHED if name in names}
    if missing := [name for name in (*layout.REQUIRED, layout.CARD) if name not in content]:
        raise AdapterFormatError(f"{folder} has no {' and no '.join(missing)}")
    return Upload(folder, content, [name for name in names if name not in content])


def _read(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise AdapterFormatError(f"{path} is no plain file: not published")
    size, most = path.stat().st_size, MAX_BYTES[path.name]
    if size > most:
        raise AdapterFormatError(f"{path} has {size:,} bytes, at most {most:,} are published")
    return path.read_bytes()
