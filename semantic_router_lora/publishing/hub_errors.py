"""What a Hub that refuses or fails means, in one sentence, without the token."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from semantic_router_lora.errors import EndpointError
from semantic_router_lora.publishing.secrets import redacted

T = TypeVar("T")

_LONGEST = 300
_MEANINGS = {
    401: "the token is not accepted; log in again (hf auth login), or correct HF_TOKEN",
    403: "the token may not do that; it needs the right to write to this repository",
    404: "there is no such repository or branch, or the token may not see it",
    409: "something of this name is in the way, or another change is under way; try again",
    412: "the repository was changed meanwhile; run it again",
    413: "the files are too large for it",
    429: "too many requests; wait and try again",
}


def asked(step: str, call: Callable[[], T], token: str | None) -> T:
    """Do one step on the Hub.

    Args:
        step: what it is, for the message.
        call: the step.
        token: what no message may hold.

    Raises:
        EndpointError: for whatever the client raises. The client's own exception holds the
            request with the token, so it is not kept as a cause either.
    """
    try:
        return call()
    except Exception as error:  # the client's errors share no base class across its versions
        message = f"{step} failed: {_meaning(error, token)}"
    raise EndpointError(message)


def _meaning(error: Exception, token: str | None) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    text = _one_line(str(error), token)
    if not isinstance(status, int):
        if isinstance(error, json.JSONDecodeError):
            return "the Hub's answer is no JSON; is HF_ENDPOINT a Hub?"
        if isinstance(error, ValueError):  # what the client or the Hub says of the card
            return text
        return f"the Hub cannot be reached ({text or type(error).__name__})"
    said = _one_line(getattr(error, "server_message", None) or "", token)
    if status >= 500:
        meaning = "the Hub has a fault of its own; try again later"
    else:
        meaning = _MEANINGS.get(status, "the Hub refuses")
    return f"{meaning} (HTTP {status}{': ' + said if said else ''})"


def _one_line(text: str, token: str | None) -> str:
    """Printable and short; the token goes first, so that no part of it can remain."""
    text = redacted(text, token)
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + " …"
