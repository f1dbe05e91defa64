"""The card of an adapter, README.md: written from the folder's files, and held against them."""

from __future__ import annotations

from semantic_router_lora.card.verify import card_problems
from semantic_router_lora.card.write import write_card

__all__ = ["card_problems", "write_card"]
