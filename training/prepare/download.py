"""Downloads that either end with the whole file in its place or leave nothing there."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from semantic_router_lora.errors import DataError

ATTEMPTS = 3
PAUSE = 2.0  # seconds before the second attempt, twice that before the third
TIMEOUT = 60.0
MAX_BYTES = 2**30
_BLOCK = 2**18
_STEP = 8 * 2**20


def fetch(url: str, path: Path, say: Callable[[str], None], pause: float = PAUSE) -> None:
    """Download a file, unless it is there.

    Raises:
        DataError: with the URL and the way out, if it cannot be had.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    reason = ""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _download(url, temporary, say)
        except (OSError, http.client.HTTPException) as error:
            temporary.unlink(missing_ok=True)
            reason = str(error) or type(error).__name__
            if isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500:
                break  # asking again will not help
            if attempt < ATTEMPTS:
                say(f"{url}: {reason}; trying again ({attempt + 1} of {ATTEMPTS})")
                time.sleep(pause * attempt)
        else:
            temporary.replace(path)
            return
    raise DataError(
        f"{url} cannot be downloaded: {reason}. Without internet, put the archive or its unpacked "
        "folder into a folder and pass it as --raw FOLDER"
    )


def _download(url: str, path: Path, say: Callable[[str], None]) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "semantic-router-lora"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer, path.open("wb") as file:
        stated = answer.headers.get("Content-Length")
        done = told = 0
        say(f"downloading {url}" + (f" ({int(stated):,} bytes)" if stated else ""))
        while block := answer.read(_BLOCK):
            file.write(block)
            done += len(block)
            if done > MAX_BYTES:
                raise OSError(f"more than {MAX_BYTES:,} bytes")
            if done - told >= _STEP:
                told = done
                say(f"  {done:,} bytes")
        # read() does not complain about a connection that ends early
        if stated and done != int(stated):
            raise OSError(f"cut short after {done:,} of {int(stated):,} bytes")
