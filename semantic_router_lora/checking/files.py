"""Which files lie in the folder, of what kind, how large. Looks at names and sizes alone."""

from __future__ import annotations

import itertools
import os
import stat
import struct
from pathlib import Path

from semantic_router_lora.adapters import layout
from semantic_router_lora.checking.outcome import Outcome, failed, passed, verdict, warned
from semantic_router_lora.checking.subject import KNOWN_FILES, Subject

_MEGABYTE = 1_000_000
# Far above what any real adapter has: that of a large encoder, with rank 64, weighs 50 MB, and the
# tokenizer of a hundred languages 17 MB.
MAX_BYTES = {
    layout.CONFIG: _MEGABYTE,
    layout.WEIGHTS: 256 * _MEGABYTE,
    layout.TOKENIZER: 32 * _MEGABYTE,
    layout.TOKENIZER_CONFIG: _MEGABYTE,
    layout.CARD: _MEGABYTE,
    layout.TRAINING_INFO: _MEGABYTE,
    layout.TRAINING_HISTORY: 8 * _MEGABYTE,
    layout.TRAINING_PLOT: 4 * _MEGABYTE,
    layout.EVALUATION: 8 * _MEGABYTE,
}
_MAX_TOTAL = 288 * _MEGABYTE
_MOST_ENTRIES = 100
_MAX_PIXELS = 10_000

# What it takes to know an adapter, beside what it takes to load it.
NEEDED = {
    layout.CONFIG: "the configuration",
    layout.WEIGHTS: "the weights",
    layout.CARD: "the card",
    layout.TRAINING_INFO: "what it was trained on, and how",
    layout.EVALUATION: "what the benchmark measured",
}
_PICKLES = frozenset({".bin", ".ckpt", ".joblib", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pth"})
_CODE = frozenset(
    {".bat", ".dll", ".dylib", ".exe", ".ipynb", ".js", ".pth", ".py", ".pyc", ".pyd", ".sh", ".so"}
)
_ARCHIVES = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"})


def check_files(subject: Subject) -> Outcome:
    """Only known files; no folders, no devices, no links but those of the Hub's own cache."""
    entries = _entries(subject.folder)
    problems = [problem for entry in entries if (problem := _problem(subject.folder, entry))]
    if len(entries) > _MOST_ENTRIES:
        problems.append(f"there are more than {_MOST_ENTRIES} files")
    return verdict(problems, f"{len(entries)} files, all of them known: no code, no pickles")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        found = list(itertools.islice(entries, _MOST_ENTRIES + 1))
    return sorted(found, key=lambda entry: entry.name)


def _problem(folder: Path, entry: os.DirEntry[str]) -> str | None:
    name = entry.name
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        target = _target_in_cache(folder, Path(entry.path))
        if target is None:
            return f"{name} is a link to {Path(entry.path).readlink()}: links may lead anywhere"
        mode = target.lstat().st_mode
    if stat.S_ISDIR(mode):
        return f"{name} is a folder: an adapter's files lie side by side"
    if not stat.S_ISREG(mode):
        return f"{name} is no regular file, but a device, pipe or socket"
    return None if name in KNOWN_FILES else f"{name}: {unknown_name(name)}"


def unknown_name(name: str) -> str:
    """Why a file that an adapter does not have is refused."""
    suffix = Path(name).suffix.lower()
    if suffix in _CODE:
        return "code: an adapter holds none"
    if suffix in _PICKLES:
        return f"a kind that can run code when it is read: only {layout.WEIGHTS} is accepted"
    if suffix in _ARCHIVES:
        return "an archive: nobody can see what is in it"
    if name.startswith("."):
        return "a hidden file"
    return f"not a file of an adapter, which are {', '.join(KNOWN_FILES)}"


def _target_in_cache(folder: Path, link: Path) -> Path | None:
    """Where a link leads to, if it is one that huggingface_hub makes in its cache; else None.

    There, ``models--owner--name/snapshots/commit/file`` links to ``models--owner--name/blobs``.
    """
    repository = folder.parent.parent
    if folder.parent.name != "snapshots" or not repository.name.startswith("models--"):
        return None
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return target if target.is_relative_to(repository / "blobs") else None


def check_complete(subject: Subject) -> Outcome:
    """Every file that somebody needs who is to trust the adapter."""
    missing = [
        f"{name} is missing: {what}"
        for name, what in NEEDED.items()
        if not _is_there(subject, name)
    ]
    if missing:
        return failed(missing)
    if not _is_there(subject, layout.TRAINING_HISTORY):
        return warned([f"{layout.TRAINING_HISTORY} is missing: how the training went"])
    return passed("card, weights, configuration, training and evaluation are there")


def _is_there(subject: Subject, name: str) -> bool:
    return os.path.lexists(subject.path(name))


def check_sizes(subject: Subject) -> Outcome:
    """No file is empty or larger than an adapter's can be; nothing is read for it."""
    problems = []
    total = 0
    for entry in _entries(subject.folder):
        try:
            size = entry.stat().st_size
        except OSError:  # a link that leads nowhere: `check_files` says so
            continue
        total += size
        most = MAX_BYTES.get(entry.name)
        if most is not None and size > most:
            problems.append(f"{entry.name} has {size:,} bytes, at most {most:,} are accepted")
        if size == 0 and entry.name in KNOWN_FILES:
            problems.append(f"{entry.name} is empty")
    if total > _MAX_TOTAL and not problems:
        problems.append(f"all files have {total:,} bytes, at most {_MAX_TOTAL:,} are accepted")
    return verdict(problems, f"{total:,} bytes in all")


def check_picture(subject: Subject) -> Outcome:
    """The picture of the training is a PNG of a size that can be shown."""
    path = subject.path(layout.TRAINING_PLOT)
    with path.open("rb") as file:
        head = file.read(24)
    if len(head) < 24 or head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR":
        return failed([f"{layout.TRAINING_PLOT} is no PNG picture"])
    width, height = struct.unpack(">II", head[16:24])
    if not (0 < width <= _MAX_PIXELS and 0 < height <= _MAX_PIXELS):
        return failed([f"{layout.TRAINING_PLOT} claims {width:,} × {height:,} pixels"])
    return passed(f"a PNG of {width} × {height} pixels")
