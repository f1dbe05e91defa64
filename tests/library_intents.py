"""What people ask a library, by intent, and what shall hold for all that is mined."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from semantic_router_lora.data.check import check_files
from semantic_router_lora.data.triplets import write_triplets
from semantic_router_lora.mining import Mined, MiningOptions

INTENTS = {
    "renew_loan": [
        "how do I renew a book I borrowed",
        "can I keep my library book for longer",
        "extend the loan of a book",
        "renew my borrowed books online",
        "I need two more weeks with this novel",
    ],
    "reserve_book": [
        "how do I reserve a book that is out on loan",
        "put a hold on a book for me",
        "can you keep a copy aside until I come",
        "reserve the new novel online",
    ],
    "late_fee": [
        "what is the fee for a book returned late",
        "how much do I pay per day for an overdue book",
        "is there a fine when a loan runs over",
        "cost of overdue library items",
    ],
    "lost_book": [
        "I lost a book I borrowed",
        "what happens if a borrowed book is gone",
        "must I replace a library book that I lost",
        "the novel I borrowed was stolen",
    ],
    "join_library": [
        "how do I become a member of the library",
        "sign up for a library card",
        "what do I need to join the library",
        "can a visitor get a library card",
    ],
    "lost_card": [
        "I lost my library card",
        "how do I replace a stolen library card",
        "my library card is gone",
        "get a new card for the one I lost",
    ],
    "opening_hours": [
        "when does the library open",
        "is the library open on sunday",
        "what time does the reading room close",
        "library hours on holidays",
    ],
    "book_room": [
        "how do I book a study room",
        "reserve a room for our reading group",
        "can I get a quiet room for the afternoon",
        "book the meeting room online",
    ],
    "cancel_room": [
        "cancel my booking of the study room",
        "how do I call off a room reservation",
        "I no longer need the meeting room on friday",
        "delete the room booking I made online",
    ],
    "print": [
        "how do I print at the library",
        "where is the printer in the reading room",
        "what does a printed page cost",
        "print from my own laptop",
    ],
    "donate": [
        "can I donate old books to the library",
        "where do I bring books that I want to give away",
        "does the library take used novels",
        "donate a collection of magazines",
    ],
    "wifi": [
        "what is the password of the library wifi",
        "how do I get online with my laptop here",
        "the wireless network does not work in the reading room",
        "connect my phone to the internet in the library",
    ],
}
FREE = MiningOptions(margin=-2)  # no cosine is excluded


class WordEncoder:
    """Vectors of word counts: texts are near if they share words."""

    def encode(self, texts, *, show_progress=False):
        vectors = np.full((len(texts), 256), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % 256] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


ENCODER = WordEncoder()


def parts(mined: Mined, name: str) -> dict[str, int]:
    return next(dict(tally.parts) for tally in mined.tallies if tally.name == name)


def assert_sound(mined: Mined, folder: Path) -> None:
    """Everything is counted once, and `data check` has nothing to say."""
    for tally in mined.tallies:
        assert tally.adds_up, tally
    assert mined.tallies[-1].total == len(mined.triplets)
    write_triplets(folder / "mined.jsonl", mined.triplets)
    report = check_files([folder / "mined.jsonl"])
    assert report.passed, report
