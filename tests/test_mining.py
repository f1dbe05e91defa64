"""Mining groups of texts: which near misses are chosen, and how many."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from library_intents import ENCODER, FREE, INTENTS, assert_sound

from semantic_router_lora.errors import DataError, InputError
from semantic_router_lora.mining import MiningOptions, mine_groups


def cosine(first: str, second: str) -> float:
    vectors = ENCODER.encode([first, second])
    return float(vectors[0] @ vectors[1])


def group_of(text: str) -> str:
    return next(name for name, texts in INTENTS.items() if text in texts)


def test_groups_give_rows_that_pass_the_check(tmp_path):
    mined = mine_groups(INTENTS, ENCODER, MiningOptions(domain="library", source="intents"))
    assert_sound(mined, tmp_path)
    assert len(mined.triplets) >= 12
    assert len({row.negative for row in mined.triplets}) == len(mined.triplets)
    for row in mined.triplets:
        name = group_of(row.anchor)
        assert (row.group, row.domain, row.source) == (f"intents/{name}", "library", "intents")
        assert row.trap is None
        assert row.positive in INTENTS[name] and row.positive != row.anchor
        assert group_of(row.negative) != name


def test_the_nearest_text_is_chosen_and_the_margins_hold():
    groups = {
        "a": ["red apple pie", "red apple cake"],
        "b": ["red apple tree", "green tree"],
        "c": ["red car", "fast car"],
    }
    nearest = mine_groups({**groups, "b": groups["b"][:1], "c": groups["c"][:1]}, ENCODER, FREE)
    assert [row.negative for row in nearest.triplets] == ["red apple tree"]

    rows = mine_groups(INTENTS, ENCODER, MiningOptions(margin=0.2, min_score=0.1)).triplets
    assert rows
    for row in rows:
        assert cosine(row.anchor, row.negative) <= cosine(row.anchor, row.positive) - 0.2 + 1e-5
        assert cosine(row.anchor, row.negative) >= 0.1 - 1e-5
    rows = mine_groups(INTENTS, ENCODER).triplets  # a relative margin of 0.05
    assert all(
        cosine(r.anchor, r.negative) <= 0.95 * cosine(r.anchor, r.positive) + 1e-5 for r in rows
    )
    rows = mine_groups(INTENTS, ENCODER, MiningOptions(margin=-2, max_score=0.4)).triplets
    assert rows and all(cosine(r.anchor, r.negative) <= 0.4 + 1e-5 for r in rows)
    assert any(
        cosine(r.anchor, r.negative) > cosine(r.anchor, r.positive)
        for r in mine_groups(INTENTS, ENCODER, FREE).triplets
    )


@pytest.mark.parametrize(
    "margins", [{"margin": 0.05}, {"relative_margin": 0.1}, {"margin": 0.01, "max_score": 0.5}]
)
def test_margins_mean_what_they_mean_to_sentence_transformers(margins):
    pytest.importorskip("datasets")
    from sentence_transformers.util import cos_sim, mine_hard_negatives, pairwise_cos_sim

    class Model:
        device = "cpu"
        similarity = staticmethod(cos_sim)
        similarity_pairwise = staticmethod(pairwise_cos_sim)

        def encode_document(self, texts, **_):
            return ENCODER.encode(texts)

        encode_query = encode_document

    from datasets import Dataset

    pairs = {name: texts[:2] for name, texts in INTENTS.items()}
    options = MiningOptions(negatives=2, reuse=True, **margins)
    ours = mine_groups(pairs, ENCODER, options).triplets
    pairs_of_ours = sorted({(row.anchor, row.positive) for row in ours})
    theirs = mine_hard_negatives(
        Dataset.from_list([{"a": a, "p": p} for a, p in pairs_of_ours]),
        Model(),
        corpus=[text for texts in pairs.values() for text in texts],
        absolute_margin=margins.get("margin"),
        relative_margin=margins.get("relative_margin"),
        max_score=margins.get("max_score"),
        range_max=len(INTENTS) * 2,  # as ours, it shall look at every text
        num_negatives=2,
        verbose=False,
    )

    # of equally near texts either may be taken
    def chosen(rows):
        return sorted((a, p, round(cosine(a, n), 4)) for a, p, n in rows)

    assert len(ours) > 5
    assert chosen(row.texts for row in ours) == chosen(
        (row["a"], row["p"], row["negative"]) for row in theirs
    )


def test_the_same_seed_gives_the_same_rows_and_another_gives_others():
    first, again = (mine_groups(INTENTS, ENCODER, FREE).triplets for _ in range(2))
    assert first == again
    assert mine_groups(INTENTS, ENCODER, MiningOptions(margin=-2, seed=1)).triplets != first


def test_a_huge_group_does_not_dominate(tmp_path):
    rng = random.Random(0)
    words = [f"word{number}" for number in range(300)]
    sizes = {"huge": 400, **{f"small {number}": 4 for number in range(30)}}
    groups = {
        name: [" ".join(rng.sample(words, 6)) for _ in range(size)] for name, size in sizes.items()
    }
    mined = mine_groups(groups, ENCODER, FREE)
    assert_sound(mined, tmp_path)
    assert {row.group for row in mined.triplets} == groups.keys()
    counts = {}
    for most in (3, 1000):
        options = MiningOptions(margin=-2, max_pairs_per_group=most, reuse=True)
        counts[most] = Counter(row.group for row in mine_groups(groups, ENCODER, options).triplets)
    assert counts[1000]["huge"] > 100
    assert set(counts[3].values()) == {3}


def test_more_near_misses_and_reuse_give_more_rows():
    one = mine_groups(INTENTS, ENCODER, FREE)
    several = mine_groups(INTENTS, ENCODER, MiningOptions(margin=-2, negatives=2))
    pairs = [(row.anchor, row.positive) for row in several.triplets]
    assert max(pairs.count(pair) for pair in pairs) == 2
    reused = mine_groups(INTENTS, ENCODER, MiningOptions(margin=-2, reuse=True))
    assert len(reused.triplets) > len(one.triplets)
    in_group = [(row.group, row.negative) for row in reused.triplets]
    assert len(set(in_group)) == len(in_group)
    assert all(group_of(row.negative) != row.group for row in reused.triplets)
    assert all(tally.adds_up for mined in (several, reused) for tally in mined.tallies)


def test_nothing_within_the_margins_says_so():
    with pytest.raises(DataError, match="no text left is within margins and scores"):
        mine_groups(INTENTS, ENCODER, MiningOptions(min_score=0.999))


@pytest.mark.parametrize(
    "wrong",
    [
        {"negatives": 0},
        {"max_pairs_per_group": 0},
        {"margin": float("nan")},
        {"max_score": float("inf")},
        {"max_score": 0.1, "min_score": 0.2},
    ],
)
def test_options_out_of_range(wrong):
    with pytest.raises(InputError):
        MiningOptions(**wrong)
