"""What is checked, and what the checks found out so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_router_lora.adapters import layout

if TYPE_CHECKING:
    from semantic_router_lora.adapters.read import Adapter
    from semantic_router_lora.base_models import BaseModel
    from semantic_router_lora.benchmark.results import BenchmarkResults
    from semantic_router_lora.checking.report import FigureRow
    from semantic_router_lora.embedder import Embedder

# The files that an adapter may have; nothing else has a place in its folder.
KNOWN_FILES = (*layout.FILES, layout.TRAINING_PLOT)
JSON_FILES = tuple(name for name in KNOWN_FILES if name.endswith(".json"))


@dataclass
class Subject:
    """An adapter under examination.

    Attributes:
        name: as shown in the report and in errors.
        folder: with the adapter's files, absolute.
        base: folder or Hub id to use in place of the base that the adapter names, or None.
        data: files of triplets that it was trained on.
        rerun: whether to run the benchmark again.
        show_progress: whether to draw bars on standard error.
        documents: content of each JSON file, once they were found to be sound.
        metadata: of the card, likewise.
        adapter, base_model, embedder, results, figures: likewise, what the checks made of them.
    """

    name: str
    folder: Path
    base: str | None = None
    data: tuple[Path, ...] = ()
    rerun: bool = True
    show_progress: bool = False
    documents: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    adapter: Adapter | None = None
    base_model: BaseModel | None = None
    embedder: Embedder | None = None
    results: BenchmarkResults | None = None
    figures: list[FigureRow] = field(default_factory=list)

    def path(self, name: str) -> Path:
        """Of one of its files."""
        return self.folder / name

    def has(self, name: str) -> bool:
        """Whether a file is there; a link that leads nowhere is not."""
        return self.path(name).is_file()

    @property
    def named_base(self) -> str | None:
        """The base by name, with its revision, as the configuration has it."""
        from semantic_router_lora.adapters.read import named_base

        config = self.documents.get(layout.CONFIG)
        return named_base(config) if isinstance(config, dict) else None
