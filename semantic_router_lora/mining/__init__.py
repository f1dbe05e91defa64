"""Triplets without a language model, out of texts of which some are known to ask the same."""

from semantic_router_lora.mining.mine import Mined, mine_groups, mine_log, mine_pairs
from semantic_router_lora.mining.options import MiningOptions
from semantic_router_lora.mining.read import Hit, read_groups, read_linked_pairs, read_log
from semantic_router_lora.mining.routes import read_routes

__all__ = [
    "Hit",
    "Mined",
    "MiningOptions",
    "mine_groups",
    "mine_log",
    "mine_pairs",
    "read_groups",
    "read_linked_pairs",
    "read_log",
    "read_routes",
]
