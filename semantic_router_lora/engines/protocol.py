"""What an engine is to its callers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Engine(Protocol):
    """A forward pass: token ids in, sentence vectors out. Holds one model, merged and immutable.

    Engines neither tokenise nor batch nor start threads: that is the same for all of them, and
    lies with their callers. `embed` may be called from several threads at a time.

    Attributes:
        dim: length of a vector.
        embed_alone: as `embed`, for one short text, on so many threads and in the same bits;
            None if that cannot be had.
    """

    dim: int

    @property
    def embed_alone(self) -> Callable[[Sequence[Sequence[int]], int], NDArray[np.float32]] | None:
        """See above."""

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Embed one batch of token ids, special tokens included.

        Args:
            batch: at least one text; fastest if texts of equal length follow one another.

        Returns:
            float32 (len(batch), dim), L2-normalised rows, in the order of the batch.
        """
        ...
