"""The sections of a card on what an adapter is and how it was trained."""

from __future__ import annotations

from semantic_router_lora.card.facts import Facts
from semantic_router_lora.card.fields import counts, mapping, mappings, number, text, texts, whole
from semantic_router_lora.card.markdown import (
    NOT_RECORDED,
    code,
    listed,
    paragraph,
    percent,
    plain,
    table,
)
from semantic_router_lora.card.stated import Stated

# Parts of a recipe that stand elsewhere in the card.
_ELSEWHERE = ("name", "train", "dev", "base")


def adapter_section(facts: Facts, stated: Stated) -> str:
    """Base model, LoRA configuration, size and licence."""
    config, weights = facts.config, facts.weights
    rank, alpha = number(config, "r"), number(config, "lora_alpha")
    lora = NOT_RECORDED
    if rank and alpha and rank > 0:
        divisor = rank**0.5 if config.get("use_rslora") is True else rank
        lora = f"r {rank:g}, alpha {alpha:g}, so that the update is scaled by {alpha / divisor:g}"
    extras = [name for name in ("use_rslora", "use_dora") if config.get(name) is True]
    licence = stated.license or NOT_RECORDED
    if stated.license_name:
        licence += f" ({stated.license_name}, {stated.license_link})"
    sha256 = text(facts.info, "base_model_sha256")
    rows = [
        ("Base model", plain(facts.base.name)),
        ("Revision of the base", plain(facts.base.revision or NOT_RECORDED)),
        ("Weights of the base, SHA-256", code(sha256) if sha256 else NOT_RECORDED),
        ("LoRA", lora + "".join(f", {name}" for name in extras)),
        ("Target modules", ", ".join(map(code, facts.targets)) or NOT_RECORDED),
        ("Weights", f"{weights.parameters:,} numbers, {weights.size:,} bytes"),
        ("Weights, SHA-256", code(weights.sha256)),
        ("Language", ", ".join(map(plain, stated.language)) or NOT_RECORDED),
        ("Licence", plain(licence)),
    ]
    return table(("", ""), rows, numbers_from=2)


def data_section(facts: Facts, stated: Stated) -> str:
    """Rows, files with SHA-256, sources with licences."""
    data, recipe = facts.data, facts.recipe
    rows = whole(data, "rows")
    if rows is None:
        return f"{NOT_RECORDED.capitalize()}: the folder has no training_info.json with it."
    domains = counts(data, "domains")
    of_domains = listed(f"{plain(name)} {count:,}" for name, count in domains.items())
    parts = [paragraph(f"{rows:,} rows" + (f": {of_domains}." if of_domains else "."))]
    digests = mapping(data, "sha256")
    dev = set(texts(recipe, "dev"))
    repeats = {text(file, "file"): whole(file, "repeat") for file in mappings(recipe, "train")}
    files = [
        (plain(name), _used_for(name in dev, repeats.get(name)), code(digest))
        for name, digest in digests.items()
    ]
    if files:
        parts.append(table(("File", "Used for", "SHA-256"), files, numbers_from=3))
    sources = [
        (plain(name), f"{count:,}", plain(stated.sources.get(name, NOT_RECORDED)))
        for name, count in counts(data, "sources").items()
    ]
    if sources:
        parts.append(table(("Source", "Rows", "Licence and origin"), sources, numbers_from=3))
    if stated.datasets:
        parts.append(paragraph(f"Data sets on the Hub: {listed(map(code, stated.datasets))}."))
    return "\n\n".join(parts)


def training_section(facts: Facts) -> str:
    """Length, hardware, hyperparameters and versions of the run."""
    info, recipe = facts.info, facts.recipe
    parts = [_run(facts)]
    if share := number(recipe, "interpolation"):
        alpha, kept = number(recipe, "lora_alpha"), number(facts.config, "lora_alpha")
        if share != 1 and alpha and kept:
            parts.append(
                f"{percent(share)} of the trained update are kept (`interpolation`): the recipe's "
                f"alpha of {alpha:g} is {kept:g} in the file."
            )
    settings = [
        f"`{plain(name)}` {_setting(value)}"
        for name, value in recipe.items()
        if name not in _ELSEWHERE
    ]
    parts.append(f"Hyperparameters: {', '.join(settings) or NOT_RECORDED}.")
    versions = [f"{name} {number}" for name, number in mapping(info, "versions").items()]
    if python := text(info, "python"):
        versions.append(f"Python {python}")
    parts.append(f"Versions: {', '.join(map(plain, versions)) or NOT_RECORDED}.")
    return "\n\n".join(map(paragraph, parts))


def left_out(facts: Facts) -> list[str]:
    """Traps whose near misses were left out of training."""
    return texts(facts.recipe, "skip_traps")


def _used_for(in_dev: bool, repeat: int | None) -> str:
    if in_dev:
        return "choosing the checkpoint"
    return f"training, {repeat} times an epoch" if repeat and repeat > 1 else "training"


def _run(facts: Facts) -> str:
    info = facts.info
    steps, seconds, best = whole(info, "steps"), number(info, "seconds"), whole(info, "best_step")
    if steps is None or seconds is None:
        return f"Length and hardware: {NOT_RECORDED}."
    hardware = mapping(info, "hardware")
    named = [
        text(hardware, "device"),
        text(hardware, "machine"),
        _counted(hardware.get("processes"), "process", "processes"),
        _counted(hardware.get("threads"), "thread", "threads"),
        _precision(hardware.get("bf16")),
    ]
    shown = ", ".join(plain(item) for item in named if item) or NOT_RECORDED
    sentence = f"{steps:,} steps in {_duration(seconds)} ({shown})."
    if best is not None and texts(facts.recipe, "dev"):
        sentence += f" The weights of step {best:,} were kept, the best checkpoint on dev"
        if by_step := facts.dev_precision:
            steps_shown = sorted({min(by_step), best} & by_step.keys())
            shown = listed(f"{by_step[step]:.3f} at step {step:,}" for step in steps_shown)
            sentence += f": average precision {shown}"
            if number(facts.recipe, "interpolation") not in (None, 1.0):
                sentence += ", before the interpolation"
        sentence += "."
    return sentence


def _counted(count: object, one: str, many: str) -> str | None:
    return f"{count} {one if count == 1 else many}" if type(count) is int else None


def _precision(bf16: object) -> str | None:
    if not isinstance(bf16, bool):
        return None
    return "bfloat16" if bf16 else "float32"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "less than a second"


def _setting(value: object) -> str:
    if isinstance(value, list):
        return " + ".join(map(_setting, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else plain(value)
