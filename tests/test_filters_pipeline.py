"""All filters of texts together: their settings, that nothing is lost, and what was measured."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from single_filter import GOOD, QUERY, TEXT_FILTERS

from semantic_router_lora.data.triplets import TRAPS
from semantic_router_lora.errors import InputError, MissingExtraError
from semantic_router_lora.generation.filters.candidate import Candidate
from semantic_router_lora.generation.filters.pipeline import FILTERS, FilterPipeline, FilterSettings

TRAINING = Path(__file__).parents[1] / "training"
sys.path.insert(0, str(TRAINING))

from filters import rows, tables  # noqa: E402


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
