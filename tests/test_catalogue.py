"""The catalogue's entries: what they say of the bundled adapters, and which are refused."""

from __future__ import annotations

import pytest
from bundled_results import RESULTS

from semantic_router_lora.adapters import catalogue
from semantic_router_lora.adapters.catalogue_views import to_toml
from semantic_router_lora.adapters.resolve import bundled_adapters, resolve_adapter
from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.errors import DataError


@pytest.mark.parametrize("name", bundled_adapters())
def test_bundled_entries_say_what_was_measured(name):
    entry = catalogue.find(name)
    folder = resolve_adapter(name).folder
    assert entry.sha256 == file_sha256(folder / "adapter_model.safetensors")
    assert entry.base == RESULTS["base"] and entry.verified
    assert list(entry.domains) == RESULTS["embedders"][name]["domains"]
    measured = {suite["domain"]: suite["figures"] for suite in RESULTS["suites"]}
    assert set(entry.figures) == set(entry.domains)
    for domain, metrics in entry.figures.items():
        assert set(metrics) == set(catalogue.METRICS)
        for metric, pair in metrics.items():
            values = [measured[domain][who][metric]["value"] for who in ("baseline", name)]
            assert list(pair) == [round(value, 4) for value in values]


def test_all_bundled_adapters_have_an_entry_and_the_reference_s_are_not_verified():
    entries = catalogue.entries()
    assert sorted(entry.name for entry in entries if entry.path) == bundled_adapters()
    others = [entry for entry in entries if (entry.hub or "").startswith("llm-semantic-router/")]
    assert "multi-domain-cache-lora-L12" in {entry.name for entry in others}
    for entry in others:
        assert not entry.verified and entry.sha256 is None
        assert all(
            source.startswith("https://github.com/vllm-project/") for source in entry.sources
        )


SOUND = """
[[adapter]]
name = "a"
hub = "o/a"
base = "b/b"
domains = ["law"]
license = "mit"
verified = false
sources = ["https://example.org"]
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("", "name = 1\n["), "catalogue.toml"),
        (('license = "mit"', ""), r"\(a\) lacks license"),
        (('license = "mit"', 'licence = "mit"\nlicense = "mit"'), "has licence, which no entry"),
        (('name = "a"', 'name = "../a"'), "name is '../a'"),
        (('hub = "o/a"', 'hub = "https://evil"'), "expected owner/name"),
        (('hub = "o/a"', 'hub = "o/a@main"'), "expected owner/name"),
        (('hub = "o/a"', 'path = "../../etc"'), "expected 'bundled/a'"),
        (('hub = "o/a"', ""), "either hub or path"),
        (("verified = false", "verified = true"), "sha256 is missing"),
        (("verified = false", f'verified = false\nsha256 = "{"0" * 64}"'), "without the revision"),
        (("verified = false", 'verified = false\nrevision = "main"'), "can move"),
        (("verified = false", 'verified = "no"'), "expected true or false"),
        (('["law"]', "[]"), "domains is"),
        (('"https://example.org"', '"a\\u001b[2J"'), "sources is"),
        (
            ("verified = false", "verified = false\nfigures.law = { margin = [1, 2] }"),
            "measured_on",
        ),
        (
            ("verified = false", 'measured_on = "x"\nverified = false\nfigures.law = { f1 = [1] }'),
            "figures are not",
        ),
        (("", SOUND), "two adapters are called 'a'"),
    ],
)
def test_entries_that_are_refused(change, says, tmp_path):
    path = tmp_path / "catalogue.toml"
    path.write_text(SOUND)
    assert catalogue.read(path)[0].hub == "o/a"
    before, after = change
    path.write_text(SOUND.replace(before, after) if before else SOUND + after)
    with pytest.raises(DataError, match=says):
        catalogue.read(path)


def test_an_entry_written_is_the_entry_read(tmp_path):
    path = tmp_path / "catalogue.toml"
    path.write_text("".join(map(to_toml, catalogue.entries())), encoding="utf-8")
    assert catalogue.read(path) == catalogue.entries()
