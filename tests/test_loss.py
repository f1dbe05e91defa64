"""The loss against sentence-transformers' and against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch


@pytest.fixture(scope="module")
def sentence_model(base_folder):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    return sentence_transformers.SentenceTransformer(str(base_folder), device="cpu").eval()


ROWS = [
    ("undo a commit", "revert my latest commit, how", "undo a merge"),
    ("signs of shingles", "how does shingles begin", "how long is shingles contagious"),
    ("notice after 2 years", "I rented for two years, what notice", "notice after 12 years"),
]


def loss_of(model, groups: list[int], columns: int = 3, rows=ROWS, **settings: float | None):
    """The loss of rows, in which None stands for a missing text."""
    from semantic_router_lora.training.loss import CacheLoss

    features = [model.preprocess([row[column] or "" for row in rows]) for column in range(columns)]
    labels = [
        [group, row[1] is not None, sum(text is not None for text in row[2:columns])]
        for group, row in zip(groups, rows, strict=True)
    ]
    with torch.no_grad():
        terms = CacheLoss(model, **({"scale": 20.0} | settings))(features, torch.tensor(labels))
    return float(sum(terms.values()))


def vectors_of(model):
    return [
        model.encode([row[column] for row in ROWS], normalize_embeddings=True)
        for column in range(3)
    ]


@pytest.mark.parametrize("columns", [2, 3])
def test_ranking_loss_is_that_of_sentence_transformers(sentence_model, columns):
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    theirs = MultipleNegativesRankingLoss(sentence_model, scale=20.0)
    features = [
        sentence_model.preprocess([row[column] for row in ROWS]) for column in range(columns)
    ]
    with torch.no_grad():
        expected = float(theirs(features, torch.zeros(3)))
    assert loss_of(sentence_model, [0, 1, 2], columns) == pytest.approx(expected, abs=1e-5)


def test_the_margin_of_online_contrastive_is_a_cosine(sentence_model):
    from semantic_router_lora.training.recipe import Recipe
    from semantic_router_lora.training.trainer import _loss

    recipe = Recipe("x", (), loss="online_contrastive", negative_margin=0.8)
    assert _loss(recipe, sentence_model).margin == pytest.approx(0.2)  # a distance there


def test_contrastive_term_by_hand(sentence_model):
    anchor, positive, negative = vectors_of(sentence_model)
    close = np.maximum(0, (anchor * negative).sum(1) - 0.3) ** 2
    expected = (((1 - (anchor * positive).sum(1)) ** 2) + close).mean()
    plain = loss_of(sentence_model, [0, 1, 2])
    both = loss_of(sentence_model, [0, 1, 2], contrastive_weight=5.0, negative_margin=0.3)
    assert both - plain == pytest.approx(5 * expected, abs=1e-5)


@pytest.fixture
def adapted(base_folder, sentence_model):
    """The base with an adapter that changes nothing yet."""
    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(base_folder), device="cpu")
    model.add_adapter(LoraConfig(r=4, target_modules=["query", "value"]))
    return model.eval()


def test_distillation_is_the_change_of_cosines_between_triplets(sentence_model, adapted):
    model = adapted
    generator = torch.Generator().manual_seed(0)
    assert loss_of(model, [0, 1, 2], distillation_weight=1.0) == pytest.approx(
        loss_of(model, [0, 1, 2]), abs=1e-6
    )  # a new adapter changes nothing yet
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.05, generator=generator)
    before = [rows.astype(np.float64) for rows in vectors_of(sentence_model)[:2]]
    after = [rows.astype(np.float64) for rows in vectors_of(model)[:2]]
    others = ~np.eye(3, dtype=bool)
    expected = sum(
        ((after[0] @ new.T - before[0] @ old.T) ** 2)[others].mean()
        for new, old in zip(after, before, strict=True)
    )
    plain = loss_of(model, [0, 1, 2])
    assert expected > 1e-4
    both = loss_of(model, [0, 1, 2], distillation_weight=7.0)
    assert both - plain == pytest.approx(7 * expected, rel=1e-3)
    assert loss_of(model, [0, 1, 2]) == pytest.approx(plain)  # the adapter is on again


def test_texts_of_the_own_group_are_no_negatives(sentence_model):
    anchor, positive, negative = vectors_of(sentence_model)
    cosines = 20 * np.concatenate([anchor @ positive.T, anchor @ negative.T], axis=1)
    cosines[0, [1, 4]] = cosines[1, [0, 3]] = -np.inf  # rows 0 and 1 are one group
    expected = np.mean([np.log(np.exp(cosines[row]).sum()) - cosines[row, row] for row in range(3)])
    assert loss_of(sentence_model, [7, 7, 2]) == pytest.approx(expected, abs=1e-4)


def test_chunks_change_nothing(sentence_model, monkeypatch):
    from semantic_router_lora.training import batches

    whole = loss_of(sentence_model, [0, 1, 2], contrastive_weight=1.0)
    monkeypatch.setattr(batches, "_CHUNK", 2)
    chunked = loss_of(sentence_model, [0, 1, 2], contrastive_weight=1.0)
    assert chunked == pytest.approx(whole, abs=1e-5)


MIXED = [
    ("undo a commit", "revert my latest commit, how", "undo a merge", "undo a rebase"),
    ("signs of shingles", "how does shingles begin", None, None),
    ("notice after 2 years", None, "notice after 12 years", None),
]


def test_rows_with_missing_and_several_texts_by_hand(sentence_model):
    texts = sorted({text for row in MIXED for text in row if text})
    at = dict(zip(texts, sentence_model.encode(texts, normalize_embeddings=True), strict=True))
    candidates = [row[column] for column in (1, 2, 3) for row in MIXED if row[column]]
    ranking = np.mean(
        [
            np.log(sum(np.exp(20 * at[row[0]] @ at[text]) for text in candidates))
            - 20 * at[row[0]] @ at[row[1]]
            for row in MIXED[:2]
        ]
    )

    def near(row) -> list[float]:
        return [max(0, at[row[0]] @ at[text] - 0.3) ** 2 for text in row[2:] if text]

    contrastive = np.mean(
        [
            (1 - at[MIXED[0][0]] @ at[MIXED[0][1]]) ** 2 + np.mean(near(MIXED[0])),
            (1 - at[MIXED[1][0]] @ at[MIXED[1][1]]) ** 2,
            np.mean(near(MIXED[2])),
        ]
    )
    found = loss_of(
        sentence_model, [0, 1, 2], 4, MIXED, contrastive_weight=2.0, negative_margin=0.3
    )
    assert found == pytest.approx(ranking + 2 * contrastive, abs=1e-4)


def test_rows_without_any_positive_have_no_ranking(sentence_model):
    rows = [(anchor, None, negative) for anchor, _, negative in ROWS]
    assert loss_of(sentence_model, [0, 1, 2], rows=rows) == 0.0


GUIDED = [
    ("undo a commit", "take back what I committed", "undo a merge"),
    ("how to undo a commit", "commit undone, how", "undo a rebase"),
]


def test_what_the_base_takes_for_a_paraphrase_is_no_negative(sentence_model, adapted):
    texts = [text for column in zip(*GUIDED, strict=True) for text in column]
    vectors = sentence_model.encode(texts, normalize_embeddings=True)
    cosines = vectors[:2] @ vectors[2:].T
    own = cosines[[0, 1], [0, 1]]
    allowed = cosines <= own[:, None] - 0.1
    allowed[[0, 1, 0, 1], [0, 1, 2, 3]] = True  # its own positive and negative
    assert 4 < allowed.sum() < 8
    logits = np.where(allowed, 20 * cosines, -np.inf)
    expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - 20 * own)
    found = loss_of(adapted, [0, 1], rows=GUIDED, guide_margin=0.1)
    assert found == pytest.approx(expected, abs=1e-4)


def _terms_and_gradients(model, rows) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    """Of the loss of some of twelve rows that differ in what they have."""
    from semantic_router_lora.training.loss import CacheLoss

    columns = [[f"question {c} number {n} on topic {n * 7 % 5}" for n in rows] for c in range(4)]
    labels = torch.tensor([[n // 2, int(n % 4 != 3), n % 3] for n in rows])
    loss = CacheLoss(
        model, scale=20, contrastive_weight=5, distillation_weight=3, guide_margin=0.02
    )
    model.zero_grad()
    terms = loss([model.preprocess(column) for column in columns], labels)
    torch.stack(list(terms.values())).sum().backward()
    return {name: float(term) for name, term in terms.items()}, {
        name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None
    }


def _one_of_two(rank: int, base: str, port: int, found) -> None:
    import torch.distributed as dist

    torch.set_num_threads(1)
    model = _model_with_an_effect(base)
    alone = _terms_and_gradients(model, range(12))
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    terms, gradients = _terms_and_gradients(model, range(rank * 6, rank * 6 + 6))
    for gradient in gradients.values():
        dist.all_reduce(gradient)
    worst = max(float((g / 2 - alone[1][n]).abs().max()) for n, g in gradients.items())
    largest = max(float(g.abs().max()) for g in alone[1].values())
    found.put((alone[0], terms, worst, largest))
    dist.barrier()
    dist.destroy_process_group()


def _model_with_an_effect(base: str):
    from peft import LoraConfig
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(base, device="cpu")
    model.add_adapter(LoraConfig(r=2, target_modules=["query", "value"]))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.05, generator=generator)
    return model.eval()


@pytest.mark.slow
def test_two_processes_have_the_loss_and_the_gradient_of_one(base_folder):
    import socket

    import torch.multiprocessing

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = torch.multiprocessing.get_context("spawn")
    found = context.Queue()
    arguments = (str(base_folder), port, found)
    processes = torch.multiprocessing.spawn(_one_of_two, arguments, nprocs=2, join=False)
    results = [found.get(timeout=120) for _ in range(2)]
    while not processes.join():
        pass
    for alone, _, worst, largest in results:
        assert largest > 0.05
        assert worst < 1e-4 * largest
        for name, value in alone.items():
            assert value != 0
            assert np.mean([terms[name] for _, terms, _, _ in results]) == pytest.approx(
                value, rel=1e-4
            )
