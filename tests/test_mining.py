"""Mining: what is read, what is chosen, and that everything is counted."""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from semantic_router_lora.cli.mine import app
from semantic_router_lora.data.check import check_files
from semantic_router_lora.data.pairs import Pair
from semantic_router_lora.data.triplets import read_triplets, write_triplets
from semantic_router_lora.errors import DataError, InputError, SemanticRouterLoraError
from semantic_router_lora.mining import (
    Hit,
    Mined,
    MiningOptions,
    mine_groups,
    mine_log,
    mine_pairs,
    read_groups,
    read_linked_pairs,
    read_log,
    read_routes,
)

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


def cosine(first: str, second: str) -> float:
    vectors = ENCODER.encode([first, second])
    return float(vectors[0] @ vectors[1])


def group_of(text: str) -> str:
    return next(name for name, texts in INTENTS.items() if text in texts)


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


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


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


def test_files_of_groups(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    expected = {"1": ["a b", "c d"], "2": ["e f"]}
    (tmp_path / "a.csv").write_text("text,category\na b,1\nc d,1\ne f,2\n")
    assert read_groups(tmp_path / "a.csv") == expected
    table = pyarrow.table({"question": ["a b", "c d", "e f"], "label": [1, 1, 2]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert read_groups(tmp_path / "a.parquet") == expected
    rows = [{"texts": ["a b", "c d"]}, {"texts": ["e f"], "group": "x"}]
    read = read_groups(lines(tmp_path / "a.jsonl", *rows))
    assert read == {"row 1": ["a b", "c d"], "x": ["e f"]}


def test_files_of_pairs_and_logs(tmp_path):
    rows = [
        {"anchor": "a", "positive": "b"},
        {"anchor": "a", "positive": "c", "negative": "d"},
        {"question1": "e", "question2": "f", "is_duplicate": 0},
    ]
    assert list(read_linked_pairs(lines(tmp_path / "a.jsonl", *rows))) == [
        Pair("a", "b", True),
        Pair("a", "c", True),
        Pair("a", "d", False),
        Pair("e", "f", False),
    ]
    (tmp_path / "log.csv").write_text("query,cached,correct\na,b,True\nc,b,0\nd,,\ne,b,\n")
    assert list(read_log(tmp_path / "log.csv")) == [
        Hit("a", "b", True),
        Hit("c", "b", False),
        Hit("d", None, None),
        Hit("e", "b", None),
    ]


@pytest.mark.parametrize(
    ("read", "row", "message"),
    [
        (read_groups, {"text": "a"}, "a.jsonl:1: no field of group"),
        (read_groups, {"group": "a"}, "a.jsonl:1: no field 'text'"),
        (read_groups, {"text": 1, "group": "a"}, "expected a text"),
        (read_groups, {"texts": "a"}, "expected a list"),
        (read_groups, {"text": "\ud800", "group": "a"}, "lone surrogate"),
        (read_groups, ["a"], "expected an object"),
        (read_linked_pairs, {"anchor": "a"}, "no field 'positive'"),
        (read_linked_pairs, {"a": "a", "b": "b"}, "label is None"),
        (read_linked_pairs, {"a": "a", "b": " ", "label": 1}, "expected a text"),
        (read_log, {"query": "a"}, "no field 'cached'"),
        (read_log, {"query": "a", "cached": "b", "correct": "maybe"}, "expected true or false"),
    ],
)
def test_rows_that_cannot_be_read(read, row, message, tmp_path):
    with pytest.raises(DataError, match=message):
        list(read(lines(tmp_path / "a.jsonl", row)))
    with pytest.raises(DataError, match="holds no rows"):
        list(read(lines(tmp_path / "b.jsonl")))


def test_router_files_of_all_lines(tmp_path):
    routes = [
        {"name": "refund", "utterances": ["my money back", "refund my order"], "llm": None},
        {"name": "rain", "utterances": ["will it rain", 7]},
    ]
    expected = {"refund": ["my money back", "refund my order"], "rain": ["will it rain", 7]}
    old = {"encoder_type": "openai", "encoder_name": "x", "routes": routes}
    (tmp_path / "a.json").write_text(json.dumps(old))
    assert read_routes(tmp_path / "a.json") == expected
    (tmp_path / "list.yaml").write_text(json.dumps(routes))  # JSON is YAML
    assert read_routes(tmp_path / "list.yaml") == expected
    more = [{"name": "rain", "utterances": ["is it wet"]}, {"name": "no utterances"}]
    nested = {
        "router_type": "chain",
        "routers": [
            {"router_type": "indexed", "encoder": {"type": "openai", "name": "x"}, **old},
            {
                "router_type": "merge",
                "routers": [
                    {"router_type": "decision", "model": {"type": "gliner2"}, "routes": more},
                    {"router_type": "indexed", "index": {"type": "pinecone"}},
                ],
            },
        ],
    }
    (tmp_path / "b.yml").write_text(json.dumps(nested))
    assert read_routes(tmp_path / "b.yml") == {
        "refund": expected["refund"],
        "rain": [*expected["rain"], "is it wet"],
        "no utterances": [],
    }


def test_a_file_that_the_installed_semantic_router_saved(tmp_path):
    import semantic_router
    from semantic_router import Route
    from semantic_router.encoders import HuggingFaceEncoder

    routes = [Route(name=name, utterances=texts) for name, texts in INTENTS.items()]
    path = tmp_path / "router.yaml"
    if hasattr(semantic_router, "IndexedRouter"):
        from semantic_router.config import EncoderConfig, IndexedConfig

        config = IndexedConfig(
            encoder=EncoderConfig(type=HuggingFaceEncoder.__name__), routes=routes
        )
        path = tmp_path / "router.json"
        path.write_text(config.model_dump_json())
    else:
        line = semantic_router
        if hasattr(line, "RouteLayer"):
            from semantic_router.layer import LayerConfig as Config
        else:
            from semantic_router.routers import RouterConfig as Config
        Config(routes=routes, encoder_type="openai", encoder_name="x").to_file(str(path))
    assert read_routes(path) == INTENTS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected a router"),
        ("router_type: indexed", "holds no routes"),
        ("routes: 7", "no list"),
        ("routes: [{utterances: [a]}]", "holds no routes"),
        ("routes: [{name: 7}]", "expected a text"),
        ("routes: [{name: a, utterances: b}]", "no list"),
        ("routes: [{name: !!python/object/apply:os.getcwd []}]", "not valid YAML"),
        ("routes: &a [{routers: *a}]", "nested too deeply"),
        ("routes: [", "not valid YAML"),
        ("routes: 2024-02-31", "not valid YAML"),
    ],
)
def test_router_files_that_cannot_be_read(content, message, tmp_path):
    (tmp_path / "router.yaml").write_text(content)
    with pytest.raises(DataError, match=message):
        read_routes(tmp_path / "router.yaml")


def test_router_files_of_other_kinds(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_routes(tmp_path / "none.yaml")
    for name, content, message in (
        ("a.toml", b"", "expected a file ending in"),
        ("a.json", b"{", "not valid JSON"),
        ("a.yaml", b"\xff\xfe\xfa", "not UTF-8"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=message):
            read_routes(tmp_path / name)


def test_the_command_with_the_real_model(tmp_path):
    routes = [{"name": name, "utterances": texts} for name, texts in INTENTS.items()]
    path = tmp_path / "router.yaml"
    path.write_text(json.dumps({"routes": routes}))
    output = tmp_path / "mined.jsonl"
    arguments = ["routes", str(path), "--output", str(output), "--domain", "library"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    rows = read_triplets(output)
    assert "rows written" in done.stdout and f"{len(rows)}" in done.stdout
    assert len(rows) >= 12 and {row.source for row in rows} == {"router.yaml"}
    assert check_files([output]).passed
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mined.jsonl", "router.yaml"]


def test_the_command_refuses_what_it_cannot_write_or_mine_before_it_loads_a_model(tmp_path):
    path = lines(tmp_path / "groups.jsonl", {"text": "a", "group": "x"})
    (tmp_path / "folder.jsonl").mkdir()
    for output, message in (
        (path, "is the input"),
        (tmp_path / "none" / "a.jsonl", "there is no folder"),
        (tmp_path / "folder.jsonl", "is a folder"),
        (tmp_path / "a.txt", "expected a file ending in"),
        (tmp_path / "a.jsonl", "no two texts"),
    ):
        arguments = ["groups", str(path), "-o", str(output), "--embedder", "no/such-model"]
        done = CliRunner().invoke(app, arguments)
        assert isinstance(done.exception, SemanticRouterLoraError)
        assert message in str(done.exception)
    assert not (tmp_path / "a.jsonl").exists()
