"""Keeping a token out of everything that is printed, logged or raised."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator

_HIDDEN = "***"
_PATTERNS = (
    re.compile(r"hf_[A-Za-z0-9]{6,}"),
    re.compile(r"(?<=://)[^/@\s]+(?=@)"),  # user:password@host
    re.compile(r"(?i)(?<=bearer )\S+"),
)


def redacted(text: str, token: str | None) -> str:
    """The text without the token, and without what looks like one."""
    if token:
        text = text.replace(token, _HIDDEN)
    for pattern in _PATTERNS:
        text = pattern.sub(_HIDDEN, text)
    return text


class _Redaction(logging.Filter):
    def __init__(self, token: str | None) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage(), self._token), ()
        if record.exc_info:
            # a traceback is formatted later, from objects: the message says enough
            record.exc_info = record.exc_text = None
        return True


@contextlib.contextmanager
def redacted_logs(token: str | None) -> Iterator[None]:
    """In this block, no log handler of the root logger or of huggingface_hub sees the token.

    The client logs what servers send back, and a server can send back what it was sent.
    """
    redaction = _Redaction(token)
    loggers = (logging.getLogger(), logging.getLogger("huggingface_hub"))
    handlers = [handler for logger in loggers for handler in logger.handlers]
    for handler in handlers:
        handler.addFilter(redaction)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(redaction)
