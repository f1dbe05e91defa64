"""Write docs/cli.md from the command line itself.

Made from the commands' parameters and not from their ``--help``, which depends on the terminal.
``--check`` changes nothing and fails if the page would change.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("cli.md")
PROGRAM = "semantic-router-lora"
INTRODUCTION = f"""# Command line

Every command as `{PROGRAM} COMMAND --help` shows it. Made by `python docs/generate_cli.py`.

Errors are a line on standard error and exit status 1; a wrong option is 2, and Ctrl-C is 130.
"""


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """A command and all below it, each with its full name, in the order of ``--help``."""
    yield name, command
    for sub, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from commands(below, f"{name} {sub}")


def section(name: str, command: Any) -> str:
    """A command: what it does, how it is called, its arguments and options."""
    import typer

    context = typer.Context(command, info_name=name)
    parameters = [p for p in command.params if not getattr(p, "hidden", False)]
    arguments = [p for p in parameters if p.param_type_name == "argument"]
    options = [p for p in parameters if p.param_type_name == "option"]
    subcommands = getattr(command, "commands", {})
    usage = [name, *(_placeholder(argument) for argument in arguments)]
    usage += [f"{p.opts[-1]} {_value(p, context)}" for p in options if p.required]
    usage += ["[OPTIONS]"] if any(not p.required for p in options) else []
    usage += ["[COMMAND]" if command.invoke_without_command else "COMMAND"] if subcommands else []
    blocks = [
        f"## {name.removeprefix(f'{PROGRAM} ')}",
        _escaped(" ".join((command.help or "").split())),
    ]
    blocks.append(f"```text\n{' '.join(usage)}\n```")
    if arguments:
        rows = [(f"`{_placeholder(p)}`", _meaning(p)) for p in arguments]
        blocks.append(_table(("Argument", "Meaning"), rows))
    if options:
        rows = [(_names(p, context), _default(p), _meaning(p)) for p in options]
        blocks.append(_table(("Option", "Default", "Meaning"), rows))
    if subcommands:
        above = name.removeprefix(PROGRAM).strip()
        shown = {sub: below for sub, below in subcommands.items() if not below.hidden}
        rows = [
            (f"[`{sub}`](#{f'{above} {sub}'.strip().replace(' ', '-')})", _first_line(below))
            for sub, below in shown.items()
        ]
        blocks.append(_table(("Command", "Does"), rows))
    return "\n\n".join(blocks)


def page() -> str:
    """The whole page."""
    import typer

    from semantic_router_lora.cli import app

    found = commands(typer.main.get_command(app), PROGRAM)
    return "\n".join([INTRODUCTION, "\n\n".join(section(*one) for one in found)]) + "\n"


def _placeholder(argument: Any) -> str:
    shown = argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return shown if argument.required else f"[{shown}]"


def _names(option: Any, context: Any) -> str:
    names = ", ".join((*option.opts, *option.secondary_opts))
    return f"`{names}`" if option.is_flag else f"`{names} {_value(option, context)}`"


def _value(option: Any, context: Any) -> str:
    """What an option takes, such as ``<path>`` or ``<npy or parquet>``."""
    shown: str = option.display_type(context)
    return shown.replace("<list[", "<").replace("]>", ">").replace("|", " or ")


def _default(option: Any) -> str:
    if option.required:
        return "required"
    default = getattr(option.default, "value", option.default)
    if option.is_flag or default in (None, (), []) or callable(default):
        return ""
    return f"`{default}`"


def _meaning(parameter: Any) -> str:
    repeatable = getattr(parameter, "multiple", False) and "repeat" not in (parameter.help or "")
    return _escaped(parameter.help or "") + (" May be repeated." if repeatable else "")


def _first_line(command: Any) -> str:
    return _escaped((command.help or "").strip().split("\n\n")[0].replace("\n", " "))


def _escaped(text: str) -> str:
    for character in ("&", "<", ">"):
        text = text.replace(character, {"&": "&amp;", "<": "&lt;", ">": "&gt;"}[character])
    return text.replace("*", "\\*").replace("|", "\\|")


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(cells)} |".replace("  ", " ") for cells in (heads, *rows)]
    lines.insert(1, "|" + "---|" * len(heads))
    return "\n".join(lines)


def main() -> None:
    """Write, or check with ``--check``."""
    new = page()
    same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == new
    print("up to date" if same else "out of date:", *([] if same else [PAGE.name]))
    if "--check" in sys.argv:
        sys.exit(0 if same else 1)
    PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
