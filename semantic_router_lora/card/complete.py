"""What a complete card needs and this one does not have."""

from __future__ import annotations

from semantic_router_lora.card.fields import counts, mapping, text, whole
from semantic_router_lora.card.render import CardContent


def incomplete(content: CardContent) -> list[str]:
    """One sentence for each part that the card calls not recorded, with the way to fill it."""
    facts, stated = content.facts, content.stated
    problems = []
    if not stated.language:
        problems.append("the language is not stated: --language CODE, such as en")
    if not stated.author:
        problems.append("nobody to cite is stated: --author NAME")
    if not facts.base.is_on_hub:
        problems.append(
            f"the base model {facts.base.name!r} is no id of the Hub, so that others cannot find it"
        )
    if not facts.info:
        problems.append("there is no training_info.json: data and training are not recorded")
    else:
        problems += _training(content)
    if facts.results is None:
        problems.append(
            "there is no evaluation_results.json: nothing is measured; run semantic-router-lora "
            "benchmark, and pass its file with --results"
        )
    elif not any("threshold" in s.figures[facts.results.label] for s in facts.results.suites):
        problems.append("there is no threshold: the benchmark was run without dev triplets")
    return problems


def _training(content: CardContent) -> list[str]:
    facts, stated = content.facts, content.stated
    needed = {
        "base_model_sha256": text(facts.info, "base_model_sha256"),
        "recipe": facts.recipe,
        "data.rows": whole(facts.data, "rows"),
        "data.sha256": mapping(facts.data, "sha256"),
        "hardware": mapping(facts.info, "hardware"),
        "versions": mapping(facts.info, "versions"),
    }
    problems = [
        f"training_info.json has no valid {name}" for name, value in needed.items() if not value
    ]
    problems += [
        f"the licence of the training rows from {name!r} is not stated: --source {name!r}=LICENCE"
        for name in counts(facts.data, "sources")
        if name not in stated.sources
    ]
    named = text(facts.info, "base_model")
    if named is not None and named.partition("@")[0] != facts.base.name:
        problems.append(
            f"adapter_config.json names the base {facts.base.name!r}, training_info.json {named!r}"
        )
    return problems
