"""Reading originals from a folder, single files or a .tar.gz, without unpacking anything to disk.

An archive is not trusted: what it holds is only ever read into memory, links and devices are
passed over, and files, counts and sums are limited.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from semantic_router_lora.errors import DataError

MAX_FILE = 64 * 2**20
MAX_TOTAL = 512 * 2**20  # of what is kept in memory
MAX_STREAM = 4 * 2**30  # of what an archive claims to hold
MAX_MEMBERS = 200_000


class Originals:
    """The files of one original, by name.

    Attributes:
        where: folder or archive that they come from, for messages.
        files: content by name, in order of name.
    """

    def __init__(self, where: Path, files: dict[str, bytes]) -> None:
        self.where = where
        self.files = dict(sorted(files.items()))

    def one(self, pattern: str) -> tuple[str, bytes]:
        """The name and content of the only file whose name the pattern finds.

        Raises:
            DataError: if there is none, or more than one.
        """
        found = [item for item in self.files.items() if re.search(pattern, item[0])]
        if len(found) != 1:
            names = ", ".join(name for name, _ in found[:3]) or "none"
            raise DataError(f"{self.where}: expected one file matching {pattern}, found {names}")
        return found[0]

    def lines(self, pattern: str) -> list[str]:
        """The lines of the only such file.

        Raises:
            DataError: if it is not there or not UTF-8.
        """
        name, content = self.one(pattern)
        # not splitlines(): it also splits at characters that stand within lines
        return decoded(content, f"{self.where}: {name}").rstrip("\n").split("\n")

    @property
    def sha256(self) -> str:
        """Of all contents, whatever the files and their archive are called."""
        hashes = sorted(hashlib.sha256(content).hexdigest() for content in self.files.values())
        return hashlib.sha256("".join(hashes).encode()).hexdigest()


def decoded(content: bytes, where: str) -> str:
    """A file as text.

    Raises:
        DataError: if it is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8: {error}") from error


def open_originals(path: Path, wanted: str) -> Originals:
    """Read the files whose names the pattern finds.

    Args:
        path: a folder or a .tar.gz.
        wanted: regular expression, searched in names with forward slashes.

    Raises:
        DataError: if nothing matches, the archive is broken or a limit is passed.
    """
    walk = _from_folder if path.is_dir() else _from_archive
    files: dict[str, bytes] = {}
    total = 0
    for name, content in walk(path, re.compile(wanted)):
        total += len(content)
        if total > MAX_TOTAL:
            raise DataError(f"{path}: holds more than {MAX_TOTAL:,} bytes of wanted files")
        if name in files:
            raise DataError(f"{path}: holds {name} twice")
        files[name] = content
    if not files:
        raise DataError(f"{path}: holds no file matching {wanted}")
    return Originals(path, files)


def _from_folder(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    for folder, folders, names in os.walk(path):  # does not follow links to folders
        folders.sort()
        for name in sorted(names):
            file = Path(folder) / name
            label = file.relative_to(path.parent).as_posix()
            if wanted.search(label) and file.is_file() and not file.is_symlink():
                _check_size(file.stat().st_size, f"{path}: {label}")
                yield label, file.read_bytes()


def _from_archive(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    claimed = 0
    try:
        with tarfile.open(path, "r:gz") as archive:
            for number, member in enumerate(archive, start=1):
                claimed += max(0, member.size)
                if number > MAX_MEMBERS or claimed > MAX_STREAM:
                    raise DataError(f"{path}: too many or too large files in the archive")
                if not (member.isreg() and wanted.search(member.name)):
                    continue
                _check_size(member.size, f"{path}: {member.name}")
                stream = archive.extractfile(member)
                content = b"" if stream is None else stream.read(MAX_FILE + 1)
                if len(content) != member.size:
                    raise DataError(f"{path}: {member.name} is cut short")
                yield member.name, content
    # tarfile lets errors of the layers below through: zlib's, and ValueError for odd headers
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not a readable .tar.gz: {error}") from error


def _check_size(size: int, where: str) -> None:
    if size > MAX_FILE:
        raise DataError(f"{where} has {size:,} bytes; more than {MAX_FILE:,} are not read")
