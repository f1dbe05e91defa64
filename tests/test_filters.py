"""Filters for what a model wrote: what each removes, what it must not, and that nothing is lost."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.errors import BaseModelError, InputError, MissingExtraError
from semantic_router_lora.generation.filters.candidate import Candidate, Removed
from semantic_router_lora.generation.filters.cross_encoder import load_cross_encoder
from semantic_router_lora.generation.filters.length import word_count
from semantic_router_lora.generation.filters.pipeline import (
    FILTERS,
    FilterPipeline,
    FilterSettings,
)

TRAINING = Path(__file__).parents[1] / "training"
sys.path.insert(0, str(TRAINING))

from filters import rows, tables  # noqa: E402

QUERY = "What are the first signs of shingles?"
GOOD = "How do I notice that shingles begins?"
TEXT_FILTERS = tuple(FILTERS)[:8]

MakeFilter = Callable[..., FilterPipeline]


@pytest.fixture(scope="module")
def only() -> MakeFilter:
    """A pipeline of one filter; language models are loaded once."""
    built: dict[str, FilterPipeline] = {}

    def make(name: str, *, prompt_texts: Sequence[str] = (), **thresholds: float) -> FilterPipeline:
        key = repr((name, prompt_texts, thresholds))
        if key not in built:
            built[key] = FilterPipeline(
                FilterSettings(disabled=frozenset(FILTERS) - {name}, **thresholds),  # type: ignore[arg-type]
                prompt_texts=prompt_texts,
                embed=None,
                cross_encoder=None,
            )
        return built[key]

    return make


def removed_paraphrases(pipeline: FilterPipeline, query: str, *texts: str) -> list[str]:
    ((_, removed),) = pipeline([Candidate(query, texts, ())])
    return [one.text for one in removed]


def removed_negatives(
    pipeline: FilterPipeline, query: str, *texts: str, paraphrases: tuple[str, ...] = (GOOD,)
) -> list[str]:
    negatives = tuple(("scope", text) for text in texts)
    ((_, removed),) = pipeline([Candidate(query, paraphrases, negatives)])
    return [one.text for one in removed if one.kind == "negative"]


def test_length(only):
    story = " ".join(["word"] * 80)
    assert removed_paraphrases(only("length"), QUERY, "shingles", "shingles signs", story) == [
        "shingles",
        story,
    ]
    assert removed_paraphrases(only("length"), story, "why word", story) == ["why word"]
    assert removed_negatives(only("length"), QUERY, "", "???", GOOD) == ["", "???"]
    ((_, (removed,)),) = only("length")([Candidate(QUERY, ("shingles",), ())])
    assert removed == Removed("length", "paraphrase", "shingles", QUERY, "1 words, 2 to 120 wanted")


def test_words_of_scripts_without_spaces():
    assert word_count("what is C++?") == 3
    assert word_count("糖尿病有哪些症状？") == 4
    assert word_count("") == 0


def test_language_needs_to_be_sure(only):
    language = only("language")
    french = "Quels sont les premiers signes du zona chez un adulte ?"
    assert removed_paraphrases(language, QUERY, GOOD, french, "shingles signs") == [french]
    assert removed_paraphrases(language, french, "Comment commence le zona ?", QUERY) == [QUERY]
    # no telling what language these are in
    assert removed_paraphrases(language, "dig -x 8.8.8.8", "dig reverse lookup") == []


def test_letters_of_another_script(only):
    language = only("language")
    mixed = "What are the first 症状 of shingles?"
    symbol = "Do β-blockers hide the first signs of shingles?"
    assert removed_paraphrases(language, QUERY, mixed, symbol) == [mixed]
    russian = "как отменить последний коммит"
    assert removed_paraphrases(language, russian, "отмена последнего коммита git", "git undo") == [
        "git undo"
    ]


def test_answers(only):
    answer = only("answer")
    answers = [
        "Yes, the rash can come later.",
        "The first signs are tingling, itching and pain.",
        "You should see a doctor within three days.",
        "It depends on your age.",
    ]
    questions = [
        "shingles first signs",
        "Tell me which signs of shingles come first.",
        "You can get shingles twice, right?",
        "shingles when to see a doctor",
        "do usual health plans include shingles shots",
        "use cold packs for shingles",
        "I have a burning stripe on my back. It is normal skin otherwise. Could it be shingles",
    ]
    assert removed_paraphrases(answer, QUERY, *answers, *questions) == answers
    # a query that is a statement itself
    assert removed_paraphrases(answer, "You can't fire me for this.", "You may not sack me.") == []


def test_leaks(only):
    example = "How soon after treating head lice can a child go back to school?"
    system = "Write the paraphrases as real users would type them into a search box late at night."
    leak = only("prompt_leak", prompt_texts=(example, "(short of it: lice at school)", system))
    leaked = [
        "Paraphrase 1: How does shingles begin?",
        "- how does shingles begin",
        "How long is shingles contagious? [aspect]",
        "As an AI, I cannot say how shingles begins.",
        "N/A",
        "How does shingles begin?<|im_end|>",
        "what � are the signs",
        example.upper(),
        "lice at school!",
        "signs that real users would type them into a search box",
    ]
    fine = [GOOD, "How soon after treating shingles can I work?", "negative shingles test, again?"]
    assert removed_negatives(leak, QUERY, *leaked, *fine) == leaked
    # what the query has of its own
    assert removed_negatives(leak, example, example + " And to nursery?") == []
    assert removed_negatives(leak, "what is a hard negative?", "who mines hard negatives?") == []


def test_copies(only):
    copy = only("copy")
    assert removed_paraphrases(copy, QUERY, "what are the first signs of  shingles", GOOD) == [
        "what are the first signs of  shingles"
    ]
    assert removed_negatives(
        copy, "What does $? hold?", "what does $? hold", "what does $! hold"
    ) == ["what does $? hold"]
    assert removed_negatives(copy, "git branch -d", "git branch -D", "learn C", "learn C++") == []


def test_duplicates(only):
    duplicate = only("duplicate")
    assert removed_paraphrases(duplicate, QUERY, GOOD, "shingles signs", GOOD.lower()) == [
        GOOD.lower()
    ]
    assert removed_negatives(duplicate, QUERY, GOOD, "shingles cost", "Shingles cost?") == [
        GOOD,
        "Shingles cost?",
    ]


def test_traps_are_no_near_duplicates(only):
    near = only("near_duplicate")
    again = [
        "Please, what's the dose of ibuprofen for a child",
        "hi, what is dose of ibuprofen for a child",
    ]
    traps = [
        "What is the dose of ibuprofen for two children",
        "What was the dose of ibuprofen for a child",
        "What is not the dose of ibuprofen for a child",
        "What is the dose of a child for ibuprofen",
        "What is the dose of ibuprofen before a child",
    ]
    query = "What is the dose of ibuprofen for a child?"
    assert removed_negatives(near, query, *traps, again[0]) == [again[0]]
    assert (
        removed_negatives(near, query, "ibuprofen for adults", again[1].replace("dose", "the dose"))
        != []
    )
    assert removed_negatives(near, "convert a dict to a list", "convert a list to a dict") == []
    assert removed_negatives(near, "can I drive", "can't I drive", "can he drive") == []
    assert removed_negatives(near, "hepatitis vaccine", "hepatitis A vaccine") == []
    assert removed_paraphrases(near, QUERY, "of shingles the signs", "the signs of shingles") == [
        "the signs of shingles"
    ]


def test_word_copies(only):
    pipeline = only("word_copy")
    query = "How do I convert a python dict of lists to a list of dicts in one line?"
    swapped = "How do I convert a python list of dicts to a dict of lists in one line?"
    assert removed_paraphrases(pipeline, query, swapped, "dict of lists to list of dicts") == [
        swapped
    ]
    assert removed_negatives(pipeline, query, swapped, paraphrases=()) == []


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


def test_settings_are_checked():
    with pytest.raises(InputError, match="no filter colour, size; there are length, language,"):
        FilterSettings(disabled=frozenset({"size", "length", "colour"}))
    for wrong in (
        {"min_words": 9, "max_words": 3},
        {"max_ratio": 0.01},
        {"leak_words": 1},
        {"word_copy": 1.5},
        {"far_paraphrase": float("nan")},
    ):
        with pytest.raises(InputError):
            FilterSettings(**wrong)


def test_language_says_what_it_lacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    monkeypatch.setitem(sys.modules, "py3langid", None)
    with pytest.raises(MissingExtraError, match=r"semantic-router-lora\[generate\]"):
        FilterPipeline(FilterSettings(), embed=None, cross_encoder=None)
    off = FilterSettings(disabled=frozenset({"language"}))
    assert "language" not in FilterPipeline(off, embed=None, cross_encoder=None).names


TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from([QUERY, QUERY.lower(), GOOD, "", " ", "N/A", "Yes.", "症状", "\ud83d", "-d"]),
)
CANDIDATES = st.builds(
    Candidate,
    query=TEXTS,
    paraphrases=st.lists(TEXTS, max_size=4).map(tuple),
    negatives=st.lists(st.tuples(st.sampled_from(TRAPS), TEXTS), max_size=6).map(tuple),
)


@pytest.fixture(scope="module")
def text_filters() -> FilterPipeline:
    return FilterPipeline(
        FilterSettings(), prompt_texts=[QUERY, GOOD], embed=None, cross_encoder=None
    )


@settings(max_examples=150, deadline=None)
@given(batch=st.lists(CANDIDATES, max_size=5))
def test_nothing_is_lost_or_invented(text_filters, batch):
    assert text_filters.names == TEXT_FILTERS
    results = text_filters(batch)
    assert len(results) == len(batch)
    for before, (after, removed) in zip(batch, results, strict=True):
        assert after.query == before.query
        assert all(one.query == before.query and one.reason for one in removed)
        assert {one.filter for one in removed} <= set(TEXT_FILTERS)
        for kind, went_in, left in (
            ("paraphrase", before.paraphrases, after.paraphrases),
            (
                "negative",
                tuple(t for _, t in before.negatives),
                tuple(t for _, t in after.negatives),
            ),
        ):
            out = [one.text for one in removed if one.kind == kind]
            assert Counter(left) + Counter(out) == Counter(went_in)
            remaining = iter(went_in)
            assert all(text in remaining for text in left), "the order stays"
        assert not Counter(after.negatives) - Counter(before.negatives)
        # what survived survives again
        assert text_filters([after]) == [(after, [])]


def test_our_own_rows_pass_and_planted_faults_do_not(only):
    good = rows.good_candidates()[::10]
    for name in ("copy", "duplicate", "prompt_leak", "length", "answer", "near_duplicate"):
        taken = sum(len(removed) for _, removed in only(name)(good))
        assert taken <= 0.01 * sum(len(one.texts) for one in good), name
    for name, planted in rows.written().items():
        results = only(name.removesuffix("_unseen"))(planted)
        caught = sum(len(removed) for _, removed in results)
        assert caught >= 0.5 * sum(len(one.paraphrases) for one in planted), name


def test_the_readme_shows_what_was_measured():
    found = json.loads((TRAINING.parent / "docs" / "results" / "filters.json").read_text("utf-8"))
    readme = (TRAINING / "filters" / "README.md").read_text("utf-8")
    assert readme.count("<!-- table ") == 4
    assert tables.filled_in(readme, found) == readme
    assert set(found["good"]["removed"]) == set(FILTERS) - {"cross_encoder"}
