"""From texts to vectors: in windows, sorted by length, in batches that suit an engine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from semantic_router_lora.engines.protocol import Engine
    from semantic_router_lora.engines.workers import Workers
    from semantic_router_lora.tokenization import TextTokenizer

# Tokens of one forward pass: few enough for the cache of one core, or enough to keep a GPU busy.
MOST_TOKENS = {"packed": 1024, "onnx": 256, "transformers": 4096}

# Texts tokenised at a time: bounds memory on long inputs, and is wide enough to sort by length.
WINDOW = 8192


def embed_texts(
    texts: Sequence[str],
    tokenizer: TextTokenizer,
    engine: Engine,
    workers: Workers | None,
    most: int,
    *,
    show_progress: bool = False,
) -> NDArray[np.float32]:
    """Embed texts.

    Args:
        texts: any number, checked.
        tokenizer: of the engine.
        engine: makes the vectors.
        workers: that batches run in; None runs them one after the other.
        most: tokens of a batch, padding included.
        show_progress: draw a progress bar on standard error.

    Returns:
        float32 (len(texts), dim), in the order of the texts.
    """
    if len(texts) == 1 and workers is not None and not show_progress:
        tokens = tokenizer(texts)  # what follows is for batches, and takes as long as a layer
        return next(workers.map(engine.embed, [tokens], len(tokens[0]), engine.embed_alone))
    vectors = np.empty((len(texts), engine.dim), dtype=np.float32)
    with progress_bar(len(texts), show_progress) as bar:
        for start in range(0, len(texts), WINDOW):
            tokens = tokenizer(texts[start : start + WINDOW])
            lengths = [len(ids) for ids in tokens]
            parts = workers.parts(sum(lengths), most) if workers else 1
            rows = list(batches_of(lengths, most, parts))
            batches = [[tokens[row] for row in batch] for batch in rows]
            results: Iterator[NDArray[np.float32]] = (
                workers.map(engine.embed, batches, sum(lengths), engine.embed_alone)
                if workers
                else map(engine.embed, batches)
            )
            for batch, embedded in zip(rows, results, strict=True):
                vectors[start + batch] = embedded
                if bar is not None:
                    bar.update(len(batch))
    return vectors


def batches_of(lengths: Sequence[int], most: int, parts: int = 1) -> Iterator[NDArray[np.intp]]:
    """Row numbers by falling length, in so many batches of about as many tokens.

    There are more of them where padding would exceed ``most`` tokens.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    for batch in cut([lengths[row] for row in order], most, parts, padded=True):
        yield order[batch]


def cut(lengths: Sequence[int], most: int, parts: int, *, padded: bool) -> Iterator[slice]:
    """Cut rows into so many batches of about as many tokens, so that threads end together.

    Args:
        lengths: tokens of each row; from the longest to the shortest if they are padded.
        most: tokens of a batch at most, but for a row that is longer by itself: there are more
            batches where needed.
        parts: at least 1.
        padded: whether a batch counts as many tokens as if all rows were as long as its first.
    """
    left, start = sum(lengths), 0
    while start < len(lengths):
        share, tokens, end = left / max(1, parts), 0, start
        while end < len(lengths):
            more = lengths[end]
            size = max(1, lengths[start]) * (end + 1 - start) if padded else tokens + more
            if end > start and (size > most or tokens + more / 2 > share):
                break
            tokens, end = tokens + more, end + 1
        yield slice(start, end)
        start, left, parts = end, left - tokens, parts - 1


def progress_bar(total: int, shown: bool) -> contextlib.AbstractContextManager[Any]:
    """A bar on standard error over so many texts; None if it is not to be shown."""
    if not shown:  # and tqdm, which takes a tenth of the whole cold start, is not imported
        return contextlib.nullcontext()
    from tqdm.auto import tqdm

    bar: contextlib.AbstractContextManager[Any] = tqdm(total=total, unit="text", smoothing=0.05)
    return bar
