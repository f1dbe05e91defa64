"""The speed benchmark: its texts, its arithmetic, its turns and its table."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from semantic_router_lora.base_models import DEFAULT_BASE
from semantic_router_lora.benchmark.speed import peers
from semantic_router_lora.benchmark.speed.arithmetic import forward_operations, gemm_rate
from semantic_router_lora.benchmark.speed.mixed import mixed_ratio
from semantic_router_lora.benchmark.speed.processes import process_cost
from semantic_router_lora.benchmark.speed.run import run_speed, speed_table
from semantic_router_lora.benchmark.speed.timing import Timings, time_peers
from semantic_router_lora.benchmark.speed.workloads import Workloads, make_workloads
from semantic_router_lora.embedder import Embedder
from semantic_router_lora.engines.bert import BertConfig
from semantic_router_lora.errors import InputError

SMALL = BertConfig(
    hidden_size=8,
    intermediate_size=32,
    max_position_embeddings=16,
    num_attention_heads=2,
    num_hidden_layers=3,
    type_vocab_size=2,
    vocab_size=100,
    layer_norm_eps=1e-12,
)


def test_workloads_are_what_they_say_and_always_the_same():
    workloads = make_workloads()
    assert workloads == make_workloads()
    counts = [len(text.split()) for text in workloads.queries]
    assert (len(counts), min(counts), max(counts)) == (2000, 5, 20)
    counts = [len(text.split()) for text in workloads.texts]
    assert len(counts) == 1000
    assert 5 <= min(counts) < 8
    assert 190 < max(counts) <= 200
    assert statistics.median(counts) == pytest.approx(32, abs=3)
    assert {len(text.split()) for text in workloads.single} == {12}
    assert len(workloads.concurrent) == 64


def test_operations_are_counted_as_by_hand():
    # for each token 4 products of 8 x 8 and 2 of 8 x 32; for attention, scores and context
    linear = 2 * 5 * (4 * 64 + 2 * 256)
    attention = 2 * (2 * 2 * 8 * 2 * 1 + 3 * 3 * 8 * 2 * 1)
    assert forward_operations(SMALL, [2, 3]) == 3 * (linear + attention)
    assert gemm_rate(SMALL, threads=1) > 1e6
    assert gemm_rate(SMALL, threads=1, dtype="bfloat16") > 1e3


def test_peers_take_turns_and_ratios_are_by_round():
    order: list[str] = []

    def peer(name):
        def round_of_it():
            order.append(name)
            return {"A": float(len(order))}

        return round_of_it

    timings = time_peers({"x": peer("x"), "y": peer("y")}, 2, lambda _: None)
    assert order == ["x", "y", "y", "x"]
    assert timings.seconds["A"] == {"x": [1.0, 4.0], "y": [2.0, 3.0]}
    timings = Timings({"A": {"x": [1.0, 3.0], "y": [2.0, 2.0]}})
    assert timings.ratios("A", "x", "y") == [2.0, 2.0 / 3.0]
    assert timings.ratios("A", "x", "z") == []


@pytest.mark.slow
def test_a_small_run_gives_a_whole_table(monkeypatch):
    from semantic_router_lora.benchmark.speed import run

    few = make_workloads()
    few = Workloads(few.queries[:8], few.texts[:4], few.single[:3], few.concurrent[:4])
    monkeypatch.setattr(run, "make_workloads", lambda scale: few)
    names = [peers.STOCK, peers.DEFAULT]
    monkeypatch.setattr(run, "available", lambda exported: names)
    monkeypatch.setattr(run, "_export", lambda folder: {})
    content = run_speed(rounds=1, threads=1)
    assert content["reference"] == peers.STOCK
    costs = content["processes"]
    assert costs[peers.DEFAULT][0]["cpu_seconds"] < costs[peers.STOCK][0]["cpu_seconds"]
    table = speed_table(content)
    assert [row[0] for row in table.rows[:2]] == names
    assert table.rows[0][1:6] == ("1.00",) * len(table.rows[0][1:6])
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert len(mixed_ratio(few.queries, 1, 2)) == 2
    with pytest.raises(InputError, match="expected at least 1 of each"):
        run_speed(rounds=0, threads=1)


def test_only_encoders_with_their_files_are_offered(tmp_path):
    names = {peers.FASTEMBED, peers.ONNX}
    assert not names & set(peers.available({}))
    assert names <= set(peers.available(dict.fromkeys(names, tmp_path)))


@pytest.mark.slow
def test_fastembed_runs_the_same_model_with_fused_attention(tmp_path):
    pytest.importorskip("fastembed")
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from semantic_router_lora.benchmark.speed.fastembed import GRAPH, export_base

    exported = {peers.FASTEMBED: tmp_path / "fastembed"}
    export_base(exported[peers.FASTEMBED])
    nodes = onnx.load(exported[peers.FASTEMBED] / GRAPH).graph.node
    kinds = [node.op_type for node in nodes]
    assert (kinds.count("Attention"), kinds.count("SkipLayerNormalization")) == (6, 12)

    peer = peers.build_peer(peers.FASTEMBED, 1, exported)
    # of all lengths in one batch, and longer than the model takes
    texts = [*make_workloads(0.02).texts, "", "hi", "renew my library card " * 200]
    expected = Embedder(DEFAULT_BASE).encode(texts)
    for encode in (peer.encode, peer.encoder):
        np.testing.assert_allclose(np.array(encode(texts)), expected, rtol=0, atol=1e-4)

    cost = process_cost(peers.FASTEMBED, 1, exported, None)
    assert cost.cpu_seconds > 0
    assert cost.peak_mebibytes > 90  # of the weights alone: it did load them
