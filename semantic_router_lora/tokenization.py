"""From texts to token ids, safely from many threads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_router_lora.bert_tokenizer import model_max_length, plain_bert_file
from semantic_router_lora.errors import BaseModelError, InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Above this many characters a token, only the head of a text is tokenised (see `_head`), and
# characters beyond the second number never count.
_CHARACTERS_PER_TOKEN = 32
_MOST_CHARACTERS_PER_TOKEN = 4096


class TextTokenizer:
    """A fast tokenizer whose settings are fixed at construction.

    transformers' tokenizers set truncation and padding on every call, which two threads must not
    do at the same time; here both are set once.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_length: int, lower_case: bool = False) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=max_length)
        self.max_length = max_length
        self._lower_case = lower_case
        # These split a text into words by nothing but the characters at their borders.
        steps = (type(tokenizer.normalizer).__name__, type(tokenizer.pre_tokenizer).__name__)
        self._splits_nearby = steps == ("BertNormalizer", "BertPreTokenizer")

    @property
    def highest_id(self) -> int:
        """The largest token id: of the vocabulary, of added tokens, of what frames each text."""
        known = self._tokenizer.get_vocab(with_added_tokens=True).values()
        return max([*known, *self([""])[0]], default=0)

    def serialized(self) -> str:
        """The tokenizer's whole definition as JSON."""
        return str(self._tokenizer.to_str())

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut to the maximum length."""
        if self._lower_case:
            texts = [text.lower() for text in texts]
        encodings = self._tokenizer.encode_batch_fast([self._head(text) for text in texts])
        return [encoding.ids for encoding in encodings]

    def _head(self, text: str) -> str:
        """Cut a huge text well behind its last token that counts.

        A text of 10 MB takes seconds to tokenise, for 256 tokens to be kept. Tokenizers split at
        white space before anything else, so the tokens before a cut there stay what they were;
        elsewhere, see `_is_settled`. What gives too few tokens for either, such as a word without
        an end, is cut at 4096 characters for each token kept: what is behind is as if not there.
        """
        size = self.max_length * _CHARACTERS_PER_TOKEN
        text = text[: self.max_length * _MOST_CHARACTERS_PER_TOKEN]
        while len(text) > size:
            cut = next((i for i in range(size, 0, -1) if text[i] in " \n\t"), 0)
            head = text[:cut]
            if cut and len(self._tokenizer.encode(head).ids) == self.max_length:
                return head
            if self._splits_nearby and self._is_settled(text[:size]):
                return text[:size]
            size *= 4
        return text

    def _is_settled(self, head: str) -> bool:
        """Whether no text that begins like this has other tokens among those that are kept.

        So it is where another word follows the last kept one, which therefore is whole, and as
        many characters as go before: no special token that begins among the kept ones is that
        long, and is cut.
        """
        kept = self._tokenizer.encode(head)
        if not kept.overflowing:
            return False
        words = [number for number in kept.word_ids if number is not None]
        later = [number for number in kept.overflowing[-1].word_ids if number is not None]
        end = max(end for _, end in kept.offsets)
        return bool(words and later) and words[-1] != later[-1] and end <= len(head) // 2


def load_tokenizer(
    path: Path, *, lower_case: bool, max_length: int | None, positions: int
) -> TextTokenizer:
    """Load a fast tokenizer: a tokenizer.json, or a model folder as transformers understands it.

    Args:
        path: of the file or folder.
        lower_case: whether texts are lower-cased first.
        max_length: tokens kept of a text; None takes what the tokenizer's own settings say.
        positions: most tokens that the model has positions for.

    Raises:
        BaseModelError: if there is none, it keeps the ends of long texts instead of their
            beginnings, or gives no token for an empty text.
    """
    from tokenizers import Tokenizer

    try:
        file = path if path.is_file() else plain_bert_file(path)
        if file is not None:
            own = Tokenizer.from_file(str(file))
            side = (own.truncation or {}).get("direction", "right")
            if file != path:
                max_length = max_length or model_max_length(path)
        else:
            from transformers import AutoTokenizer

            loaded = AutoTokenizer.from_pretrained(
                path, local_files_only=True, trust_remote_code=False
            )
            # a copy: settings of ours stay ours
            own = Tokenizer.from_str(loaded.backend_tokenizer.to_str())
            max_length = max_length or loaded.model_max_length
            side = loaded.truncation_side
        length = min(max_length or positions, positions)
        made = TextTokenizer(own, max_length=length, lower_case=lower_case)
        made(["a text"])
        frame = made([""])[0]
    except (KeyboardInterrupt, SystemExit):
        raise
    # a foreign file may provoke anything here, and panics of the Rust library are no Exception
    except BaseException as error:
        raise BaseModelError(f"{path} holds no fast tokenizer: {error}") from error
    if side != "right":
        raise BaseModelError(
            f"{path}: its tokenizer cuts long texts at the {side} (truncation_side): not supported"
        )
    if not frame:
        raise BaseModelError(
            f"{path}: its tokenizer gives no token for an empty text, which then has no vector; "
            f"it needs special tokens around each text (post_processor)"
        )
    return made


def check_texts(texts: object) -> list[str]:
    """Accept a list (or tuple) of strings that can be encoded, and nothing else.

    Raises:
        InputError: naming what was got, and where in the list.
    """
    if isinstance(texts, (str, bytes)) or not isinstance(texts, (list, tuple)):
        hint = "; wrap a single text: [text]" if isinstance(texts, str) else ""
        raise InputError(f"expected a list of strings, got {type(texts).__name__}{hint}")
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(
                f"expected a list of strings, got {type(text).__name__} at position {position}"
            )
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                f"the text at position {position} holds a lone surrogate "
                f"({text[error.start]!r}) at character {error.start}: it is not valid Unicode"
            ) from error
    return list(texts)
