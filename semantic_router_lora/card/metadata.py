"""The metadata of a card, as the Hub reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from semantic_router_lora.card.fields import texts
from semantic_router_lora.card.render import CardContent
from semantic_router_lora.card.stated import OWN_KEY
from semantic_router_lora.errors import DataError

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TAGS = ("lora", "sentence-transformers", "semantic-cache", "semantic-router")
PIPELINE = "sentence-similarity"
METRICS = {
    "margin": "Similarity margin",
    "cosine_accuracy": "Cosine accuracy",
    "average_precision": "Average precision",
}
# Keys that are written here, or left out here.
_OWN_KEYS = frozenset(
    """
    base_model base_model_relation datasets language library_name license license_link license_name
    model-index model_name pipeline_tag tags
    """.split()
) | {OWN_KEY}
MOST_BYTES = 200_000
DEEPEST = 20


def metadata_of(content: CardContent, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a card.

    Args:
        content: of the card.
        earlier: metadata of the card before; keys that are not written here, and tags, are kept.
    """
    from huggingface_hub import ModelCardData

    facts, stated = content.facts, content.stated
    own: dict[str, Any] = {
        "reference": content.reference,
        "base": content.settings.to_metadata(),
        "dev": dict(content.dev),
    }
    for name in ("repo_id", "author"):
        if value := getattr(stated, name):
            own[name] = value
    if stated.sources:
        own["sources"] = dict(stated.sources)
    data: Any = ModelCardData(
        library_name="peft",
        base_model=facts.base.name if facts.base.is_on_hub else None,
        base_model_relation="adapter",
        pipeline_tag=PIPELINE,
        license=stated.license,
        license_name=stated.license_name,
        license_link=stated.license_link,
        language=list(stated.language) or None,
        datasets=list(stated.datasets) or None,
        tags=[*texts(earlier, "tags"), *TAGS],
        model_name=content.name,
        eval_results=_eval_results(content),
    )
    data[OWN_KEY] = own
    written: dict[str, Any] = data.to_dict()
    kept = {key: value for key, value in earlier.items() if key not in _OWN_KEYS}
    return {**written, **kept}


def front_matter(metadata: Mapping[str, Any]) -> str:
    """Metadata as the YAML block at the top of a card."""
    from huggingface_hub import ModelCardData

    return f"---\n{ModelCardData(**metadata).to_yaml(original_order=list(metadata))}\n---\n\n"


def read_card(text: str) -> tuple[dict[str, Any], str]:
    """The metadata and the body of a card.

    Raises:
        DataError: if the Hub's own classes do not take it, or what they write is not what they
            have read.
    """
    import yaml
    from huggingface_hub import ModelCard

    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise DataError(f"it is larger than {MOST_BYTES:,} bytes")
    try:
        _refuse_traps(text)
        card: Any = ModelCard(text)
        metadata: dict[str, Any] = card.data.to_dict()
        again: Any = ModelCard(str(card))
        if again.data.to_dict() != metadata:
            raise ValueError("written again, it is another one")
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"its metadata is not valid: {error}") from error
    except RecursionError as error:
        raise DataError("its metadata is nested too deep") from error
    return metadata, str(card.text)


def _refuse_traps(text: str) -> None:
    """Refuse YAML that is slow to read, or grows to any size when it is written out."""
    import yaml
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    block = REGEX_YAML_BLOCK.search(text)
    depth = 0
    for event in yaml.parse(block.group(2), Loader=yaml.SafeLoader) if block else ():
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it holds YAML aliases")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError("it is nested too deep")


def _eval_results(content: CardContent) -> list[EvalResult] | None:
    from huggingface_hub import EvalResult

    found = content.facts.results
    if found is None:
        return None
    return [
        EvalResult(
            task_type=PIPELINE,
            task_name="Telling paraphrases from near misses",
            dataset_type=suite.source,
            dataset_name=f"{suite.domain} ({suite.triplets} triplets)",
            dataset_config=suite.domain,
            dataset_split="test",
            dataset_args={"sha256": suite.sha256},
            metric_type=metric,
            metric_name=f"{name} [{figure.low:.3f}, {figure.high:.3f}]",
            metric_value=figure.value,
        )
        for suite in found.suites
        for metric, name in METRICS.items()
        if (figure := suite.figures[found.label].get(metric)) is not None
        and figure.value == figure.value  # the Hub takes no NaN
    ]
