"""Filters by meaning: the cosines of an embedder, and the scores of a cross-encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from single_filter import GOOD, QUERY, TEXT_FILTERS

from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.errors import BaseModelError
from semantic_router_lora.generation.filters.candidate import Candidate
from semantic_router_lora.generation.filters.cross_encoder import load_cross_encoder
from semantic_router_lora.generation.filters.pipeline import FilterPipeline, FilterSettings


def unit(degrees: float) -> np.ndarray:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], dtype=np.float32)


def test_filters_by_meaning():
    angles = {
        QUERY: 0.0,
        GOOD: 40.0,
        "capital of Peru": 95.0,
        "zoster onset clues": 5.0,
        "What are the last signs of shingles?": 2.0,
        "vaccine price": 39.0,
    }
    calls: list[list[str]] = []

    def embed(texts: Sequence[str]) -> np.ndarray:
        calls.append(list(texts))
        return np.stack([3 * unit(angles[text]) for text in texts])

    pipeline = FilterPipeline(
        FilterSettings(disabled=frozenset(TEXT_FILTERS)), embed=embed, cross_encoder=None
    )
    assert pipeline.names == ("far_paraphrase", "close_negative")
    negatives = tuple(zip(TRAPS, list(angles)[3:], strict=False))
    candidate = Candidate(QUERY, (GOOD, "capital of Peru"), negatives)
    ((left, removed),) = pipeline([candidate])
    assert left == Candidate(QUERY, (GOOD,), negatives[1:])
    assert [(one.filter, one.text) for one in removed] == [
        ("far_paraphrase", "capital of Peru"),
        ("close_negative", "zoster onset clues"),
    ]
    assert removed[0].reason == "cosine -0.09 to the query, at least 0.15 wanted"
    assert removed[1].reason.startswith("cosine 1.00 to the query, that of the closest paraphrase")
    assert len(calls) == 1, "texts of a batch are embedded once"
    # without a paraphrase there is nothing to compare with
    alone = Candidate(QUERY, (), negatives)
    assert pipeline([alone, alone]) == [(alone, []), (alone, [])]
    assert pipeline([]) == []


def test_the_base_model_tells_other_topics():
    from semantic_router_lora import Embedder

    embedder = Embedder(base="sentence-transformers/all-MiniLM-L6-v2")
    pipeline = FilterPipeline(FilterSettings(), embed=embedder.encode, cross_encoder=None)
    broken = "half a \ud83d character in how shingles begins"
    far = "Which train goes to Lima on Sundays?"
    ((left, removed),) = pipeline([Candidate(QUERY, (GOOD, far, broken), ())])
    assert left.paraphrases == (GOOD, broken)
    assert [(one.filter, one.text) for one in removed] == [("far_paraphrase", far)]


def test_cross_encoder_thresholds():
    scores = {GOOD: 0.8, "capital of Peru": 0.01, "zoster onset": 0.95, "shingles cost": 0.3}
    pipeline = FilterPipeline(
        FilterSettings(disabled=frozenset(TEXT_FILTERS)),
        embed=None,
        cross_encoder=lambda pairs: np.array([scores[text] for _, text in pairs]),
    )
    assert pipeline.names == ("cross_encoder",)
    negatives = (("aspect", "zoster onset"), ("scope", "shingles cost"))
    batch = [Candidate(QUERY, (), ()), Candidate(QUERY, (GOOD, "capital of Peru"), negatives)]
    (_, none), (left, removed) = pipeline(batch)
    assert none == []
    assert left == Candidate(QUERY, (GOOD,), negatives[1:])
    assert [one.reason for one in removed] == [
        "scored 0.01, at least 0.1 wanted",
        "scored 0.95, at most 0.9 wanted",
    ]


@pytest.fixture(scope="module")
def checkpoint(
    base_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[list[str]], Path]:
    """A tiny cross-encoder with random weights and the given outputs."""

    def make(labels: list[str]) -> Path:
        import torch
        from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

        folder = tmp_path_factory.mktemp("cross-encoder")
        tokenizer = AutoTokenizer.from_pretrained(base_folder)
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            initializer_range=1.0,
            id2label=dict(enumerate(labels)),
            label2id={label: number for number, label in enumerate(labels)},
        )
        BertForSequenceClassification(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


def test_loading_a_cross_encoder(checkpoint):
    pytest.importorskip("sentence_transformers")
    import torch
    from sentence_transformers import CrossEncoder

    pairs = [(QUERY, GOOD), (GOOD, QUERY), ("a dict", "a list")]
    folder = checkpoint(["LABEL_0"])
    scores = load_cross_encoder(str(folder), device="cpu")(pairs)
    raw = CrossEncoder(str(folder), device="cpu").predict(pairs, activation_fn=torch.nn.Identity())
    assert scores == pytest.approx(1 / (1 + np.exp(-raw)), abs=1e-6)
    assert len(set(scores.round(4))) > 1

    folder = checkpoint(["contradiction", "Entailment", "neutral"])
    entailed = load_cross_encoder(str(folder), device="cpu")(pairs)
    raw = CrossEncoder(str(folder), device="cpu").predict(pairs, apply_softmax=True)[:, 1]
    assert entailed.shape == (3,)
    assert entailed[0] == entailed[1] == pytest.approx(min(raw[0], raw[1]), abs=1e-6)

    with pytest.raises(BaseModelError, match="has the outputs bad, good"):
        load_cross_encoder(str(checkpoint(["bad", "good"])))
    with pytest.raises(BaseModelError, match="cannot be loaded"):
        load_cross_encoder(str(folder / "missing"))
