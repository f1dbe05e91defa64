"""Reading a pickle of a plain dict without running anything that it asks for.

`pickle.load` calls whatever the file names. Here a pickle is first read as a list of its operations
(`pickletools.genops` runs nothing) and refused unless each of them only builds numbers, texts and
dicts; the unpickler that then reads it can find no class and no function either.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any, NoReturn

from semantic_router_lora.errors import DataError

_HARMLESS = frozenset(
    """PROTO FRAME STOP MARK EMPTY_DICT DICT SETITEM SETITEMS
    INT BININT BININT1 BININT2 LONG LONG1 UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8
    PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET""".split()
)


class _NoGlobals(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("asks for an object of elsewhere")


def titles_by_number(content: bytes, where: str) -> dict[int, str]:
    """A pickled dict of whole numbers to texts.

    Raises:
        DataError: if it holds, or asks for, anything else; nothing of it has been run then.
    """
    try:
        for operation, _, position in pickletools.genops(content):
            if operation.name not in _HARMLESS:
                raise DataError(
                    f"{where}: refused: {operation.name} at byte {position}; expected a pickle of "
                    "a plain dict of numbers to texts"
                )
        found = _NoGlobals(io.BytesIO(content)).load()
    except DataError:
        raise
    except Exception as error:  # the many ways in which a broken pickle fails
        raise DataError(f"{where}: not a readable pickle: {error}") from error
    if not isinstance(found, dict) or not found:
        raise DataError(f"{where}: expected a dict with entries, found {type(found).__name__}")
    for number, title in found.items():
        if type(number) is not int or type(title) is not str:
            raise DataError(
                f"{where}: expected numbers to texts, found {number!r:.40}: {title!r:.40}"
            )
    return found
