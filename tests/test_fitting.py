"""Fitting to routes: what is learned from, what is held out, and what is refused."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import numpy as np
import pytest

from semantic_router_lora import fit_adapter
from semantic_router_lora.errors import DataError, InputError
from semantic_router_lora.fitting.folds import fold_of_queries, fold_of_utterances
from semantic_router_lora.fitting.job import FitJob
from semantic_router_lora.fitting.routes import (
    NONE,
    Queries,
    RouteSet,
    read_out_of_scope,
    read_queries,
    text_key,
)
from semantic_router_lora.fitting.rows import material, name_as_words, training_rows
from semantic_router_lora.fitting.separation import separated

ROUTES = {
    "refund": ["I want my money back", "how do I return this?", "refund my order"],
    "weather": ["will it rain tomorrow?", "is it sunny today", "how cold is it outside"],
}


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32) + 0.4
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ({"a": ["x", "y"]}, "at least two routes"),
        ({"a": ["x", "y"], "b": ["z"]}, "at least two routes"),
        ({"a": ["x", "y"], "b": ["X ", "z"]}, "'X ' is an utterance of 'a' and of 'b'"),
        ({"a": ["x", " "], "b": ["y", "z"]}, "expected a text"),
        ({"a": ["x", 3], "b": ["y", "z"]}, "expected a text"),
        ({" ": ["x", "q"], "b": ["y", "z"]}, "route's name"),
        ({"a": "xy", "b": ["y", "z"]}, "expected a list"),
        ([{"name": "a"}], "expected routes"),
    ],
)
def test_routes_that_cannot_be_fitted(routes, message):
    with pytest.raises(DataError, match=message):
        RouteSet.of(routes)


def test_routes_are_read_with_a_line_for_what_is_left_out(caplog):
    routes = RouteSet.of({**ROUTES, "dynamic": [], "один": ["привет 👋", "Привет  👋", "пока"]})
    assert routes.names == ("refund", "weather", "один")
    assert len(routes.texts) == 8
    assert "'dynamic' has no utterances" in caplog.text
    assert "1 utterances stand twice" in caplog.text


def queries_of(pairs, routes=None, refused=()):
    return Queries.of(pairs, routes or RouteSet.of(ROUTES)) + Queries(refused=tuple(refused))


def test_a_text_is_learned_from_or_judged_by_once(caplog):
    caplog.set_level(logging.WARNING)
    routes = RouteSet.of(ROUTES)
    asked = queries_of(
        [
            ("Refund MY order", "refund"),
            ("money please", "refund"),
            ("Money  please", "refund"),
            ("snow?", "weather"),
            ("who won", None),
        ],
        routes,
        [("SNOW?", 0), ("money please", 0), ("fog", 0), ("fog ", 0), ("refund my order", 0)],
    )
    judged = queries_of([("Snow?", "weather"), ("is it SUNNY today", "weather")], routes)
    learned, kept = separated(routes, asked, judged)
    assert learned.texts == ("money please", "who won")
    assert learned.refused == (("fog ", 0),)
    assert kept.texts == ("Snow?",)
    assert caplog.text.count("left out") == 5


@pytest.mark.parametrize("label", ["weather", None])
@pytest.mark.parametrize("first", [[], [("money please", "refund")]])
def test_contradictions_are_refused(label, first):
    routes = RouteSet.of(ROUTES)
    text = "Money please" if first else "refund my ORDER"
    with pytest.raises(DataError, match="remove one"):
        separated(routes, queries_of([*first, (text, label)], routes), Queries())


class Recorder:
    """In place of the trainer: keeps what it was given to learn from."""

    def __init__(self):
        self.seen = []

    def encode(self, texts):
        return unit(len(texts), 8)

    def train(self, found, seed, folder):
        self.seen.append({text_key(t) for t in (*found.texts, *found.outside)})
        self.seen[-1] |= {text_key(text) for text, _ in found.refused}


def test_no_fold_learns_from_or_finds_what_it_holds_out(tmp_path):
    routes = RouteSet.of({**ROUTES, "opening hours": ["when do you open", "closed on Sunday?"]})
    asked = queries_of(
        [("Opening  Hours", "opening hours"), ("snow?", "weather"), ("who won", None)],
        routes,
        [("WHEN do you open", 0), ("Snow?", 0)],
    )
    asked, _ = separated(routes, asked, Queries())
    trainer = Recorder()
    job = FitJob(routes, asked, Queries(), trainer, tmp_path, folds=3, seed=0)
    for fold in job.unfinished():
        job.hold_out(fold)
    held = job.held_out()
    assert sorted(held.texts) == sorted([*routes.texts, *asked.texts])
    for fold, seen in enumerate(trainer.seen):
        out = {text_key(held.texts[row]) for row in np.flatnonzero(held.folds == fold)}
        assert out and not out & seen
    # the second time, every fold is read
    again = job.held_out()
    assert job.unfinished() == [] and len(trainer.seen) == 3
    assert (again.after[0.0].similarities == held.after[0.0].similarities).all()


def test_folds_are_even_and_follow_the_seed():
    routes = RouteSet.of({**ROUTES, "one": ["the only one"]})
    folds = fold_of_utterances(routes, 3, 7)
    assert folds[-1] == -1
    for number in (0, 1):
        assert sorted(folds[routes.labels == number]) == [0, 1, 2]
    assert (folds == fold_of_utterances(routes, 3, 7)).all()
    queries = queries_of([(f"query {n}", None) for n in range(9)])
    assert np.bincount(fold_of_queries(queries, 3, 0)).tolist() == [3, 3, 3]


def test_names_are_texts_of_their_routes_unless_they_say_nothing():
    routes = RouteSet.of(
        {"card_arrival": ["a", "b"], "__": ["c", "d"], "x": ["e", "X y"], "x-y": ["f"]}
    )
    vectors = dict.fromkeys([*routes.texts, *map(name_as_words, routes.names)], np.ones(2))
    found = material(routes, np.arange(7), Queries(), vectors)
    assert found.texts[7:] == ("card arrival", "x")
    assert material(routes, np.arange(7), Queries(), vectors, {"x"}).texts[7:] == ("card arrival",)


def test_nothing_to_pair_is_said():
    routes = RouteSet.of({"_": ["a", "b"], "--": ["c", "d"]})
    vectors = dict.fromkeys([*routes.texts, ""], np.ones(2))
    with pytest.raises(DataError, match="two texts to learn from"):
        training_rows(material(routes, np.array([0, 2]), Queries(), vectors), 0)


@pytest.mark.parametrize("count", [1000, pytest.param(5000, marks=pytest.mark.slow)])
def test_thousands_of_routes_take_seconds(count):
    started = time.process_time()
    routes = RouteSet.of({f"r{n}": [f"{n} text {m}" for m in range(4)] for n in range(count)})
    vectors = dict(zip([*routes.texts, *routes.names], unit(5 * count, 16), strict=True))
    found = material(routes, np.arange(4 * count), Queries(), vectors)
    rows, batch = training_rows(found, 0)
    assert batch == 64 and len(rows) >= 2 * count
    owner = dict(zip(found.texts, found.labels.tolist(), strict=True))
    assert all(owner[row.anchor] == owner[row.positive] == row.group for row in rows)
    assert all(owner[text] != row.group for row in rows for text in row.negatives)
    folds = fold_of_utterances(routes, 3, 0)
    assert np.bincount(folds).min() > count
    assert time.process_time() - started < 60


def test_files_of_queries(tmp_path):
    routes = RouteSet.of(ROUTES)
    rows = [
        {"query": "snow?", "route": "weather", "correct": True},
        {"query": "fog", "route": "refund", "correct": False},
        {"query": "who won", "route": "none", "correct": 1},
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = read_queries(path, routes)
    assert (found.texts, found.labels.tolist()) == (("snow?", "who won"), [1, NONE])
    assert found.refused == (("fog", 0),)
    for row, message in (
        ({"query": "x", "route": "y"}, ":1: there is no route 'y'"),
        ({"query": " "}, ":1: no field"),
        ({"query": "x", "correct": "maybe"}, "correct"),
        ([1], ":1: expected an object"),
    ):
        path.write_text(json.dumps(row))
        with pytest.raises(DataError, match=message):
            read_queries(path, routes)
    path.write_text('"text"')
    with pytest.raises(DataError, match="object"):
        read_out_of_scope(path)
    lines = tmp_path / "none.txt"
    lines.write_text("who won\n\n derive it \n")
    assert read_out_of_scope(lines).texts == ("who won", "derive it")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"folds": 1}, InputError, "folds"),
        ({"license": "no-such"}, InputError, "no-such"),
        ({"validation": []}, DataError, "to judge by"),
        ({"validation": [("refund my order", "refund")]}, DataError, "to judge by"),
        ({"queries": ["text"]}, DataError, "name of its route"),
        ({"out_of_scope": "text"}, InputError, "out_of_scope is 'text'"),
        ({"out_of_scope": 5}, InputError, "out_of_scope is '5'"),
        ({"out_of_scope": Path("none.txt")}, DataError, r"none\.txt: cannot be read"),
        ({"seed": -1}, InputError, "seed is -1"),
        ({"seed": "1"}, InputError, "seed is '1'"),
    ],
)
def test_bad_options_are_refused_before_the_work(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        fit_adapter(ROUTES, tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())


def test_an_encoder_of_another_kind_needs_a_base(tmp_path):
    content = {
        "router_type": "indexed",
        "encoder": {"type": "openai"},
        "routes": [{"name": name, "utterances": texts} for name, texts in ROUTES.items()],
    }
    path = tmp_path / "router.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="type 'openai'"):
        fit_adapter(path, tmp_path / "out")
