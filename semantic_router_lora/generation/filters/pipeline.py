"""All filters, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from semantic_router_lora.errors import InputError
from semantic_router_lora.generation.filters.answer import AnswerFilter
from semantic_router_lora.generation.filters.candidate import Candidate, Filter, Removed
from semantic_router_lora.generation.filters.cross_encoder import CrossEncoderFilter, ScorePairs
from semantic_router_lora.generation.filters.duplicates import (
    CopyFilter,
    DuplicateFilter,
    NearDuplicateFilter,
    WordCopyFilter,
)
from semantic_router_lora.generation.filters.language import LanguageFilter
from semantic_router_lora.generation.filters.length import LengthFilter
from semantic_router_lora.generation.filters.prompt_leak import PromptLeakFilter
from semantic_router_lora.generation.filters.similarity import (
    BatchVectors,
    CloseNegativeFilter,
    Embed,
    FarParaphraseFilter,
)

# In the order in which they run, the cheap ones first.
FILTERS: dict[str, str] = {
    "length": "texts with too few or too many words, absolutely or beside the query",
    "language": "texts in another language or script than the query's",
    "answer": "answers and advice instead of questions",
    "prompt_leak": "text of the prompt, labels, placeholders, markup",
    "copy": "texts that equal the query but for case, spaces and punctuation",
    "duplicate": "texts that stand twice in an answer",
    "near_duplicate": "texts of an answer that say the same in the same words",
    "word_copy": "paraphrases that share nearly all words with the query",
    "far_paraphrase": "paraphrases that are far from the query in meaning",
    "close_negative": "negatives that are closer than the paraphrases, and not by their words",
    "cross_encoder": "what a cross-encoder takes for no paraphrase, or for no near miss",
}

_SHARES = (
    "language_overlap",
    "near_duplicate",
    "word_copy",
    "close_negative_overlap",
    "cross_encoder_paraphrase",
    "cross_encoder_negative",
)


@dataclass(frozen=True)
class FilterSettings:
    """Thresholds; training/filters/README.md says what they were measured to remove.

    Attributes:
        min_words: fewest words of a text.
        max_words: most words of a text.
        min_ratio: fewest words of a text for each word of the query.
        max_ratio: most words of a text for each word of the query.
        language_overlap: least that the language probabilities of query and text have in common.
        leak_words: as many words in a row out of the prompt are a leak.
        near_duplicate: shared words / all words from which two paraphrases count as one.
        word_copy: shared words / all words from which a paraphrase copies the query.
        far_paraphrase: least cosine of a paraphrase to the query.
        close_negative_margin: cosine by which a negative is too close, beyond the closest
            paraphrase.
        close_negative_overlap: shared words / all words above which a negative may be so close.
        cross_encoder_paraphrase: least score of a paraphrase; depends on the model, not measured.
        cross_encoder_negative: highest score of a negative; not measured, either.
        disabled: names of filters to leave out, of `FILTERS`.

    Raises:
        InputError: if a name is unknown, or a threshold out of range.
    """

    min_words: int = 2
    max_words: int = 120
    min_ratio: float = 0.08
    max_ratio: float = 10.0
    language_overlap: float = 0.1
    leak_words: int = 7
    near_duplicate: float = 0.9
    word_copy: float = 0.9
    far_paraphrase: float = 0.15
    close_negative_margin: float = 0.1
    close_negative_overlap: float = 0.2
    cross_encoder_paraphrase: float = 0.1
    cross_encoder_negative: float = 0.9
    disabled: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        unknown = sorted(self.disabled - FILTERS.keys())
        if unknown:
            raise InputError(f"no filter {', '.join(unknown)}; there are {', '.join(FILTERS)}")
        if not 0 <= self.min_words <= self.max_words:
            raise InputError(f"{self.min_words} to {self.max_words} words is no range")
        if not 0 <= self.min_ratio <= self.max_ratio:
            raise InputError(f"{self.min_ratio} to {self.max_ratio} times the words is no range")
        if self.leak_words < 2:
            raise InputError(f"leak_words is {self.leak_words}, expected at least 2")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 to 1")
        for name in ("far_paraphrase", "close_negative_margin"):
            if not -1 <= getattr(self, name) <= 2:
                raise InputError(f"{name} is {getattr(self, name)}, expected -1 to 2")


class FilterPipeline:
    """Sends candidates through every filter that is not disabled and has what it needs.

    Args:
        settings: thresholds, and what is disabled.
        prompt_texts: the texts of the prompt, which an answer must not repeat.
        embed: texts → (texts, dim) float32; None leaves out the filters by meaning.
        cross_encoder: pairs → scores from 0 to 1; None leaves its filter out.

    Attributes:
        names: the filters that run, in their order.

    Raises:
        MissingExtraError: if ``language`` runs without py3langid.
    """

    def __init__(
        self,
        settings: FilterSettings,
        *,
        prompt_texts: Sequence[str] = (),
        embed: Embed | None,
        cross_encoder: ScorePairs | None,
    ) -> None:
        names = [name for name in FILTERS if name not in settings.disabled]
        if embed is None:
            names = [name for name in names if name not in ("far_paraphrase", "close_negative")]
        if cross_encoder is None:
            names = [name for name in names if name != "cross_encoder"]
        self.names = tuple(names)
        vectors = BatchVectors(embed) if embed is not None else None
        self._filters = [
            _build(name, settings, prompt_texts, vectors, cross_encoder) for name in names
        ]

    def __call__(self, batch: Sequence[Candidate]) -> list[tuple[Candidate, list[Removed]]]:
        """What is left of each candidate, and what was removed from it, in the same order."""
        left = list(batch)
        removed: list[list[Removed]] = [[] for _ in left]
        for apply in self._filters:
            for position, (candidate, taken) in enumerate(apply(left)):
                left[position] = candidate
                removed[position] += taken
        return list(zip(left, removed, strict=True))


def _build(
    name: str,
    settings: FilterSettings,
    prompt_texts: Sequence[str],
    vectors: BatchVectors | None,
    cross_encoder: ScorePairs | None,
) -> Filter:
    match name:
        case "length":
            return LengthFilter(
                settings.min_words, settings.max_words, settings.min_ratio, settings.max_ratio
            )
        case "language":
            return LanguageFilter(settings.language_overlap)
        case "answer":
            return AnswerFilter()
        case "prompt_leak":
            return PromptLeakFilter(prompt_texts, settings.leak_words)
        case "copy":
            return CopyFilter()
        case "duplicate":
            return DuplicateFilter()
        case "near_duplicate":
            return NearDuplicateFilter(settings.near_duplicate)
        case "word_copy":
            return WordCopyFilter(settings.word_copy)
        case "far_paraphrase" if vectors is not None:
            return FarParaphraseFilter(vectors, settings.far_paraphrase)
        case "close_negative" if vectors is not None:
            return CloseNegativeFilter(
                vectors, settings.close_negative_margin, settings.close_negative_overlap
            )
        case "cross_encoder" if cross_encoder is not None:
            return CrossEncoderFilter(
                cross_encoder,
                settings.cross_encoder_paraphrase,
                settings.cross_encoder_negative,
            )
    raise InputError(f"filter {name} lacks its model")
