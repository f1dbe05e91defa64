"""Odd texts to mine: what is left out and counted, what is not, and what cannot be mined."""

from __future__ import annotations

import random

import pytest
from library_intents import ENCODER, FREE, INTENTS, assert_sound, parts

from semantic_router_lora.data.pairs import Pair
from semantic_router_lora.errors import DataError
from semantic_router_lora.mining import MiningOptions, mine_groups, mine_pairs


def test_what_is_left_out_is_counted(tmp_path):
    long = " ".join(f"word{number}" for number in range(20))
    groups = {
        **INTENTS,
        "odd": ["", "  ", 7, None, "?!", long, long + " word19 word3", "Print at home?"],
        "odder": ["print AT home", "pressure of the tyres"],
        "empty": [],
    }
    mined = mine_groups(groups, ENCODER, FREE)
    assert_sound(mined, tmp_path)
    read = parts(mined, "texts read")
    assert read["blank or no text"] == 5
    assert read["in more than one group"] == 2
    assert read["nearly repeated in its group"] == 1
    assert parts(mined, "groups")["no text or a single one"] == 3
    texts = {text for row in mined.triplets for text in row.texts}
    assert not texts & {"Print at home?", "print AT home"}


def test_equal_texts_of_one_group_are_one_text():
    groups = {"a": ["Red apple", "red  apple?", "a pie"], "b": ["red apples", "blue sea"]}
    mined = mine_groups(groups, ENCODER, FREE)
    assert parts(mined, "texts read")["repeated in its group"] == 1


def test_texts_of_nearly_the_same_words_stay_in_one_family(tmp_path):
    base = "how do I move money between my two accounts when one of them is held together with"
    groups = {
        name: [
            f"{base} {other}",
            f"{name} needs to share an account",
            f"{name} {number} cannot pay",
        ]
        for number, (name, other) in enumerate({"ann": "bob", "cy": "dan", "eve": "flo"}.items())
    }
    assert_sound(mine_groups(groups, ENCODER, FREE), tmp_path)


def test_texts_that_are_not_english(tmp_path):
    groups = {
        "wetter": ["Wird es morgen regnen?", "Wie wird das Wetter morgen?", "Regnet es morgen"],
        "天気": ["明日は雨が降りますか", "明日の天気はどうですか", "傘は必要ですか"],
        "погода": ["завтра будет дождь?", "какая погода завтра", "нужен ли зонт завтра"],
    }
    mined = mine_groups(groups, ENCODER, MiningOptions(margin=-2, source="mix"))
    assert_sound(mined, tmp_path)
    assert {row.group for row in mined.triplets} <= {f"mix/{name}" for name in groups}


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "no text"),
        ({"a": ["", " "]}, "no text"),
        ({"a": ["one", "two", "three"]}, "all texts are of one group"),
        ({"a": ["one"], "b": ["two"]}, "no two texts"),
        ({"a": ["one", "two"], "b": ["One", "two?", "three"]}, "more than one group"),
    ],
)
def test_groups_that_cannot_be_mined(groups, message):
    with pytest.raises(DataError, match=message):
        mine_groups(groups, ENCODER)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_mined_passes_the_check(seed, tmp_path):
    rng = random.Random(seed)
    # few words in long texts: many are equal or nearly so
    stems = [[f"w{rng.randrange(40)}" for _ in range(22)] for _ in range(12)]

    def text():
        words = list(rng.choice(stems))
        words[rng.randrange(22)] = f"w{rng.randrange(40)}"
        return " ".join(words)

    groups = {f"{number}": [text() for _ in range(rng.randint(1, 6))] for number in range(40)}
    pool = [text() for _ in range(80)]
    pairs = [Pair(*rng.sample(pool, 2), rng.random() < 0.4) for _ in range(90)]
    options = MiningOptions(margin=-2, seed=seed)
    mined = 0
    for mine, data in ((mine_groups, groups), (mine_pairs, pairs)):
        try:
            assert_sound(mine(data, ENCODER, options), tmp_path)
            mined += 1
        except DataError as error:
            assert "contradict" in str(error) or "nothing was mined" in str(error)
    assert mined
