"""All that this package knows of semantic-router's versions.

semantic-router has no way for other packages to add an encoder: a saved router names its encoder
by a type from a closed list. Three lines of it are in use:

====================  =======================================  ==============================
0.0.x                 ``RouteLayer``, ``LayerConfig``          pydantic v1
0.1 to 0.3            ``SemanticRouter``, ``HybridRouter``     pydantic v2
1.x                   ``IndexedRouter``, ``Chain``, ``Merge``  pydantic v2; no encoder threshold
====================  =======================================  ==============================

`register` extends the installed line in place, so that users who imported its names earlier get
the extension too; `unregister` takes it back. Nothing registers itself.

The package also declares the encoder as an entry point of the group ``semantic_router.encoders``
(docs/upstream.md). A release that reads such a group is left as it is.
"""

from __future__ import annotations

import codecs
import functools
import inspect
import json
import logging
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from semantic_router_lora.centroids import drawing, use_centroids
from semantic_router_lora.errors import DataError, RegistrationError, SemanticRouterLoraError
from semantic_router_lora.router_files import load_file, refuse_other_modules

logger = logging.getLogger(__name__)

ENCODER_TYPE = "lora_huggingface"

_MARK = "_semantic_router_lora_original"
# A name that no model can have: the encoder refuses it before it looks for any file.
_NO_MODEL = "+lora:"


class _Type:
    """Stands where semantic-router keeps a member of its closed EncoderType."""

    value = ENCODER_TYPE
    name = ENCODER_TYPE.upper()


def register() -> None:
    """Let routers with a `LoRAHuggingFaceEncoder` be saved to a file and loaded from it.

    In 1.x, routers that are built then also heed the ``centroid_weight`` of the routes that they
    are given: see `use_centroids`. In the lines before, `load_router` alone does.

    Does nothing if it was called before, or if the installed semantic-router knows the encoder by
    itself. Stock encoders are not affected.

    Raises:
        RegistrationError: if the installed semantic-router has not the internals that this needs.
            The encoder works without registration wherever it is passed as an object.
    """
    from semantic_router import encoders

    if _is_registered(encoders) or _is_known_upstream(encoders):
        return
    original = _auto_encoder_init(encoders)
    saved_classes = _saved_classes()
    encoders.AutoEncoder.__init__ = _extended(original)  # type: ignore[method-assign]
    if saved_classes is not None:
        from semantic_router_lora.encoder import LoRAHuggingFaceEncoder

        saved_classes[LoRAHuggingFaceEncoder] = _Type
        router = _indexed_router()
        extended = drawing(router.__init__)
        setattr(extended, _MARK, router.__init__)
        router.__init__ = extended


def unregister() -> None:
    """Undo `register`; does nothing if that was not called or had nothing to do."""
    from semantic_router import encoders

    if not _is_registered(encoders):
        return
    original = getattr(encoders.AutoEncoder.__init__, _MARK)
    encoders.AutoEncoder.__init__ = original  # type: ignore[method-assign]
    saved_classes = _saved_classes()
    if saved_classes is not None:
        from semantic_router_lora.encoder import LoRAHuggingFaceEncoder

        saved_classes.pop(LoRAHuggingFaceEncoder, None)
        router = _indexed_router()
        router.__init__ = getattr(router.__init__, _MARK, router.__init__)


def load_router(path: str | Path) -> Any:
    """Load a router file whose encoder may be a `LoRAHuggingFaceEncoder`; registers it first.

    Returns:
        What the installed line makes of such a file, ready to be called: a ``RouteLayer``, a
        ``SemanticRouter``, or an ``IndexedRouter``, ``Chain`` or ``Merge``.

    semantic-router's files of the lines before 1.0 keep routes and their thresholds, but not the
    kind of router, ``top_k``, ``aggregation``, a sparse encoder or the encoder's threshold: a
    HybridRouter comes back as a SemanticRouter, with the defaults of that line.

    Routes whose metadata say a ``centroid_weight``, as those in files of `fit_adapter` may, get
    utterance vectors that are drawn towards the centroid of their route: see `use_centroids`.

    Raises:
        InputError: if a ``centroid_weight`` is out of range, or its router cannot have one.
        DataError: if the file does not exist, ends in neither .yaml, .yml nor .json, is broken,
            holds no router, or has a line before 1.0 import modules other than its own.
        RegistrationError: as `register` does.
    """
    path = Path(path)
    content = load_file(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no router, but {str(content)[:80]!r}")
    if path.suffix.lower() == ".json" and path.read_bytes().startswith(codecs.BOM_UTF8):
        raise DataError(f"{path}: semantic-router reads no JSON that starts with a byte order mark")
    register()
    line: Any = import_module("semantic_router")
    if hasattr(line, "load_router"):
        router = line.load_router(path)
        if not _is_registered(import_module("semantic_router.encoders")):
            use_centroids(router)  # else its constructor did
        return router
    if path.suffix != path.suffix.lower():
        raise DataError(f"{path}: this semantic-router wants the ending in lower case")
    refuse_other_modules(path, content)
    logger.warning(
        "%s: files of this semantic-router keep neither aggregation nor top_k nor the encoder's "
        "threshold: the router has this line's defaults for them",
        path,
    )
    if hasattr(line, "RouteLayer"):
        layer = line.RouteLayer.from_config(line.LayerConfig.from_file(str(path)))
        use_centroids(layer)
        return layer
    router = line.SemanticRouter.from_config(line.RouterConfig.from_file(str(path)))
    # Until then these releases answer "Index is not ready". Some lack the method and need it not.
    if hasattr(router, "sync"):
        router.sync("local")
    use_centroids(router)
    return router


def encoder_has_threshold() -> bool:
    """Whether the installed line keeps the score threshold on the encoder (all but 1.x)."""
    from semantic_router.encoders import HuggingFaceEncoder

    return "score_threshold" in field_names(HuggingFaceEncoder)


def field_names(model: Any) -> frozenset[str]:
    """The fields of a pydantic model class, whichever pydantic it is built on."""
    return frozenset(getattr(model, "model_fields", None) or model.__fields__)


def _is_registered(encoders: ModuleType) -> bool:
    return hasattr(getattr(getattr(encoders, "AutoEncoder", None), "__init__", None), _MARK)


def _is_known_upstream(encoders: ModuleType) -> bool:
    """Whether semantic-router builds this encoder from a file by itself.

    No release does so yet, and how one will is not known here. So it is asked the way that users
    go, for a model that cannot exist: if it knows the encoder, the encoder is what refuses.
    """
    line: Any = import_module("semantic_router")
    try:
        if hasattr(line, "load_router"):
            with TemporaryDirectory() as folder:
                path = Path(folder) / "router.json"
                encoder = {"type": ENCODER_TYPE, "name": _NO_MODEL}
                router = {"router_type": "indexed", "encoder": encoder, "routes": []}
                path.write_text(json.dumps(router), encoding="utf-8")
                line.load_router(path)
        else:
            encoders.AutoEncoder(type=ENCODER_TYPE, name=_NO_MODEL)
    except Exception as error:
        reason: BaseException | None = error
        while reason is not None and not isinstance(reason, SemanticRouterLoraError):
            reason = reason.__cause__ or reason.__context__
        return reason is not None
    return True


def _indexed_router() -> Any:
    """The router of 1.x."""
    return import_module("semantic_router.routers").IndexedRouter


def _auto_encoder_init(encoders: ModuleType) -> Callable[..., None]:
    init: Callable[..., None] | None = getattr(
        getattr(encoders, "AutoEncoder", None), "__init__", None
    )
    if init is None or list(inspect.signature(init).parameters) != ["self", "type", "name"]:
        raise RegistrationError(
            f"semantic-router {version('semantic-router')} builds encoders in a way that is not "
            f"known here, so router files cannot hold this one; pass the encoder as an object, "
            f"which works, and report it"
        )
    return init


def _extended(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def init(self: Any, type: Any, name: str | None = None) -> None:
        if type == ENCODER_TYPE:
            from semantic_router_lora.encoder import LoRAHuggingFaceEncoder

            self.type = _Type
            self.name = name
            self.model = LoRAHuggingFaceEncoder(name=name) if name else LoRAHuggingFaceEncoder()
        else:
            original(self, type, name)

    setattr(init, _MARK, original)
    return init


def _saved_classes() -> dict[type, Any] | None:
    """The map of 1.x from encoder class to type, or None in lines that save any encoder."""
    import semantic_router

    if not hasattr(semantic_router, "load_router"):
        return None
    from semantic_router import config

    classes = getattr(config, "_ENCODERS", None)
    if not isinstance(classes, dict):
        raise RegistrationError(
            f"semantic-router {version('semantic-router')} saves encoders in a way that is not "
            f"known here, so router files cannot hold this one; pass the encoder as an object, "
            f"which works, and report it"
        )
    return classes
