"""``semantic-router-lora adapter``."""

from __future__ import annotations

import typer

from semantic_router_lora.cli import (
    adapter_card,
    adapter_catalogue,
    adapter_check,
    adapter_merge,
    adapter_publish,
)

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Work with adapters."""


app.command("card")(adapter_card.card)
app.command("check")(adapter_check.check)
app.command("info")(adapter_catalogue.adapter_info)
app.command("list")(adapter_catalogue.adapter_list)
app.command("merge")(adapter_merge.adapter_merge)
app.command("publish")(adapter_publish.adapter_publish)
app.command("pull")(adapter_catalogue.adapter_pull)
