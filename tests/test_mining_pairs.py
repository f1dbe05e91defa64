"""Mining labelled pairs, and logs of a cache whose hits were judged."""

from __future__ import annotations

import pytest
from library_intents import ENCODER, FREE, INTENTS, assert_sound, parts

from semantic_router_lora.data.pairs import Pair
from semantic_router_lora.errors import DataError
from semantic_router_lora.mining import Hit, mine_log, mine_pairs


def labelled_pairs() -> list[Pair]:
    same = [Pair(texts[0], text, True) for texts in INTENTS.values() for text in texts[1:3]]
    different = [
        Pair("how do I renew a book I borrowed", "how do I return a book I borrowed", False),
        Pair("cancel my booking of the study room", "change my booking of the study room", False),
    ]
    return same + different


def test_pairs_take_their_labelled_near_misses_first(tmp_path):
    mined = mine_pairs(labelled_pairs(), ENCODER, FREE)
    assert_sound(mined, tmp_path)
    by_anchor = {row.anchor: row.negative for row in mined.triplets if "my booking" in row.negative}
    assert by_anchor == {
        "cancel my booking of the study room": "change my booking of the study room"
    }
    assert parts(mined, "rows written") == {
        "with a labelled near miss": 2,
        "with a mined one": len(mined.triplets) - 2,
    }
    labelled = {frozenset((pair.first, pair.second)) for pair in labelled_pairs() if pair.same}
    assert all(frozenset((r.anchor, r.positive)) in labelled for r in mined.triplets)


def test_duplicates_of_duplicates_are_no_near_misses():
    pairs = [
        Pair("red apple pie", "apple pie", True),
        Pair("apple pie", "pie of apples", True),
        Pair("pie of apples", "red apple pie now", True),
        Pair("blue car", "car in blue", True),
    ]
    rows = mine_pairs(pairs, ENCODER, FREE).triplets
    assert rows
    for row in rows:
        assert ("car" in row.anchor) != ("car" in row.negative)


def test_pairs_that_contradict_each_other(tmp_path):
    odd = [
        Pair("how do I print at the library", "printing at the library how", True),
        Pair("printing at the library how", "how do I print at the library", False),
        Pair("sign up for a library card", "what do I need to join the library", False),
        Pair("wifi", "WiFi?", True),
    ]
    mined = mine_pairs(labelled_pairs() + odd, ENCODER, FREE)
    assert_sound(mined, tmp_path)
    read = parts(mined, "pairs read")
    assert (read["labelled both ways"], read["a text with itself"]) == (2, 1)
    assert parts(mined, "labelled as different")["contradicted by paraphrases"] == 1
    with pytest.raises(DataError, match="contradict"):
        mine_pairs([Pair("a b", "c d", True), Pair("c d", "a b", False)], ENCODER)
    with pytest.raises(DataError, match="no pair"):
        mine_pairs([], ENCODER)


def test_a_log_gives_paraphrases_and_near_misses(tmp_path):
    hits = [
        Hit("renewing a loan", "how do I renew a loan", True),
        Hit("renewing a loan", "how do I renew a loan", True),
        Hit("renew a loan please", "how do I renew a loan", True),
        Hit("how do I repay a loan", "how do I renew a loan", False),
        Hit("opening hours today", "when do you open today", True),
        Hit("when do you close", "when do you open", False),
        Hit("where are you", None, None),
        Hit("are you open", "when do you open today", None),
        Hit("", "when do you open today", True),
    ]
    mined = mine_log(hits, ENCODER, FREE)
    assert_sound(mined, tmp_path)
    labelled = [row.texts for row in mined.triplets if row.negative == "how do I repay a loan"]
    assert [texts[0] for texts in labelled] == ["how do I renew a loan"]
    read = parts(mined, "log rows read")
    assert read["misses of the cache"] == read["hits that nobody judged"] == 1
    assert read["repeated"] == read["with a blank text"] == 1
    assert parts(mined, "labelled as different") == {
        "one of the texts is a near miss": 1,
        "neither text has a paraphrase": 1,
    }


def test_a_log_of_right_hits_alone_is_completed_and_one_of_wrong_hits_is_not(tmp_path):
    right = [Hit(texts[1], texts[0], True) for texts in INTENTS.values()]
    mined = mine_log(right, ENCODER, FREE)
    assert_sound(mined, tmp_path)
    assert parts(mined, "rows written")["with a mined one"] == len(mined.triplets) >= 6
    with pytest.raises(DataError, match="no pair of paraphrases"):
        mine_log([Hit(h.query, h.cached, False) for h in right], ENCODER)
