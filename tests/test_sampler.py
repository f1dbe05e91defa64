"""How rows come together in batches."""

from __future__ import annotations

from collections import Counter

import pytest


def sampler_of(texts, domains=None, *, batch_size=4, exponent=1.0, drop_last=False, seed=0):
    pytest.importorskip("sentence_transformers")
    from semantic_router_lora.training.sampler import ExampleSampler

    return ExampleSampler(
        range(len(texts)),
        batch_size,
        drop_last,
        texts=texts,
        domains=domains or ["x"] * len(texts),
        domain_exponent=exponent,
        seed=seed,
    )


def test_every_row_comes_once_an_epoch_in_another_order():
    sampler = sampler_of([(f"a{n}", f"b{n}") for n in range(30)])
    epochs = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert [len(batch) for batch in batches] == [4] * 7 + [2]
        assert len(sampler) == 8
        assert sorted(row for batch in batches for row in batch) == list(range(30))
        epochs.append(batches)
    assert epochs[0] == epochs[2] != epochs[1]


def test_no_text_stands_twice_in_a_batch():
    texts = [(f"a{n % 6}", f"B{n // 2}") for n in range(48)]
    sampler = sampler_of(texts, batch_size=6)
    seen = set()
    for epoch in range(4):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler) == 8
        for batch in batches:
            standing = [text for row in batch for text in texts[row]]
            assert len(set(standing)) == len(standing)
            seen.update(batch)
    assert len(seen) == 48  # who finds no place waits for another epoch


def test_texts_that_are_one_question_stand_in_different_batches():
    texts = [("What is a lien?", "a"), ("what is a lien", "b"), ("What  is a lien ?", "c")]
    assert list(map(len, sampler_of(texts, batch_size=3))) == [1]


def test_rows_that_no_batch_of_an_epoch_takes_are_counted():
    shared = [("same", str(n)) for n in range(50)]
    texts = shared + [(f"a{n}", f"b{n}") for n in range(50)]
    sampler = sampler_of(texts, batch_size=10)
    assert sampler.unused == 100 - sum(map(len, sampler)) > 0
    assert sampler_of(texts[50:]).unused == 0
    # those that are taken again to fill a batch are not taken for others
    filled = sampler_of(texts, batch_size=10, drop_last=True)
    assert filled.unused == 100 - len({row for batch in filled for row in batch}) > 0


def test_a_text_in_every_row_comes_once_in_each_batch():
    assert list(map(len, sampler_of([("same", str(n)) for n in range(5)]))) == [1, 1]


def test_every_epoch_has_as_many_whole_batches_for_processes():
    texts = [(f"a{n // 3}", f"b{n}") for n in range(60)]
    sampler = sampler_of(texts, batch_size=12, drop_last=True)
    for epoch in range(10):
        sampler.set_epoch(epoch)
        assert [len(batch) for batch in sampler] == [12] * 5


def test_processes_get_whole_batches_only():
    sampler = sampler_of([(str(n),) for n in range(11)], drop_last=True)
    assert [len(batch) for batch in sampler] == [4, 4]


def test_domains_are_drawn_in_the_shares_asked_for():
    domains = ["big"] * 90 + ["small"] * 10
    texts = [(str(n),) for n in range(100)]

    def drawn(exponent: float) -> Counter[int]:
        return Counter(
            row for batch in sampler_of(texts, domains, exponent=exponent) for row in batch
        )

    even = drawn(0.0)
    assert sum(even[row] for row in range(90)) == sum(even[row] for row in range(90, 100)) == 50
    assert {even[row] for row in range(90, 100)} == {5}
    assert max(even[row] for row in range(90)) == 1
    assert sum(drawn(0.5)[row] for row in range(90)) == 75
