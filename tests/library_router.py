"""A small router of a library, and queries for it."""

from __future__ import annotations

from pathlib import Path

import semantic_router
from semantic_router import Route

from semantic_router_lora import LoRAHuggingFaceEncoder

LINE_1 = hasattr(semantic_router, "IndexedRouter")
LINE_0_0 = hasattr(semantic_router, "RouteLayer")
ROUTES = {
    "loan": ["renew my loan", "can I keep the book longer?", "extend the due date", "late again"],
    "card": ["I lost my library card", "a new card please", "card for my child", "card expired"],
    "room": ["book a study room", "is the quiet room free?", "cancel my room", "room for six"],
}
QUERIES = [
    "keep this novel for two more weeks",
    "my card is gone",
    "where do I get a card for my son?",
    "we need a room on Friday",
    "is a room free now?",
    "I return it late",
    "bread with caraway seeds",
    "is it going to snow?",
    "a card game for six",
]


def save(folder: Path) -> Path:
    """A router with the plain base, as the installed line writes it."""
    routes = [Route(name=name, utterances=texts) for name, texts in ROUTES.items()]
    encoder = LoRAHuggingFaceEncoder()
    if LINE_1:
        router = semantic_router.IndexedRouter(encoder=encoder, routes=routes)
    elif LINE_0_0:
        router = semantic_router.RouteLayer(encoder=encoder, routes=routes)
    else:
        router = semantic_router.SemanticRouter(encoder=encoder, routes=routes, auto_sync="local")
    path = folder / "router.json"
    router.to_json(str(path))
    return path
